"""The int8 quantization scheme: `from_pretrained(ref, quantization="int8")`."""

import importlib
from typing import Any

_ROOMS = {"Int8Parameters": "parameters", "Int8Quantizer": "quantizing"}

__all__ = ["Int8Parameters", "Int8Quantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_int8' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_int8.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
