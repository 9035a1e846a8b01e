"""The compressed-tensors quantization scheme: published checkpoints, and packing in their layouts."""

import importlib
from typing import Any

_ROOMS = {"CompressedTensorsParameters": "parameters", "CompressedTensorsQuantizer": "quantizing"}

__all__ = ["CompressedTensorsParameters", "CompressedTensorsQuantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_compressed_tensors' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_compressed_tensors.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
