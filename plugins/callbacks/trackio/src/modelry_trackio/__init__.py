"""Trainings in trackio: the callback that `report_to="trackio"` asks for."""

import importlib
from typing import Any

__all__ = ["TrackioCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_trackio' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_trackio.callback"), name)
    globals()[name] = value
    return value
