"""The library of a side, quiet and with the threads that all sides have."""

import importlib
from typing import Any

from benchmarks.worker import SIDES, THREADS


def library(side: str) -> Any:
    """The side's module."""
    import torch

    torch.set_num_threads(THREADS)
    module = importlib.import_module(SIDES[side])
    if side == "theirs":
        module.utils.logging.set_verbosity_error()
        module.utils.logging.disable_progress_bar()
    return module
