"""The bitsandbytes quantization scheme: its forms, computed by its kernels."""

import importlib
from typing import Any

_ROOMS = {"BitsAndBytesParameters": "parameters", "BitsAndBytesQuantizer": "quantizing"}

__all__ = ["BitsAndBytesParameters", "BitsAndBytesQuantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_bitsandbytes' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_bitsandbytes.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
