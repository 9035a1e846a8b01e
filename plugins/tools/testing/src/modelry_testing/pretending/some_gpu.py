"""The machine's own GPU where it has one, and one that is none elsewhere: what a test compares holds for both."""

from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

from modelry_testing.pretending.gpu import PretendedGpu


def some_gpu(kind: str = "cuda", *, count: int = 1) -> AbstractContextManager[Any]:
    """Devices "cuda:0", "cuda:1", … for as long as a `with` lasts; real ones convolve in float32 throughout.

    Args:
        kind: "xpu" and "mps" are always pretended.

    Raises:
        pytest.skip.Exception: the machine has GPUs, and fewer than `count`.
    """
    if not is_real(kind):
        return PretendedGpu(kind=kind, count=count)
    if torch.cuda.device_count() < count:
        pytest.skip(f"this machine has {torch.cuda.device_count()} GPUs, and {count} are needed")
    exact: AbstractContextManager[Any] = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return exact


def is_real(kind: str = "cuda") -> bool:
    """Whether `some_gpu` is a GPU: what it draws is its own then, and waits are not counted."""
    return kind == "cuda" and torch.cuda.is_available()
