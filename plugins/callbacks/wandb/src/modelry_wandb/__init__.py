"""Trainings in Weights & Biases: the callback that `report_to="wandb"` asks for."""

import importlib
from typing import Any

__all__ = ["WandbCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_wandb' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_wandb.callback"), name)
    globals()[name] = value
    return value
