"""The awq quantization scheme: `from_pretrained(ref)` of a checkpoint in its layout."""

import importlib
from typing import Any

_ROOMS = {"AwqParameters": "parameters", "AwqQuantizer": "quantizing"}

__all__ = ["AwqParameters", "AwqQuantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_awq' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_awq.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
