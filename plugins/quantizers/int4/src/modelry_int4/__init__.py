"""The int4 quantization scheme: `from_pretrained(ref, quantization="int4")`."""

import importlib
from typing import Any

_ROOMS = {"Int4Parameters": "parameters", "Int4Quantizer": "quantizing"}

__all__ = ["Int4Parameters", "Int4Quantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_int4' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_int4.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
