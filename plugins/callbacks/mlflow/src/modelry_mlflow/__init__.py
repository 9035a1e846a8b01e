"""Trainings in MLflow: the callback that `report_to="mlflow"` asks for."""

import importlib
from typing import Any

__all__ = ["MLflowCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_mlflow' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_mlflow.callback"), name)
    globals()[name] = value
    return value
