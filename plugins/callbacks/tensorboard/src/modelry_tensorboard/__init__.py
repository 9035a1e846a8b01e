"""Trainings in TensorBoard: the callback that `report_to="tensorboard"` asks for."""

import importlib
from typing import Any

__all__ = ["TensorBoardCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_tensorboard' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_tensorboard.callback"), name)
    globals()[name] = value
    return value
