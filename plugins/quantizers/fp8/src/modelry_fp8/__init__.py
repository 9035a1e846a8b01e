"""The fp8 quantization scheme: `from_pretrained(ref, quantization="fp8")`, and published checkpoints in e4m3."""

import importlib
from typing import Any

_ROOMS = {"Fp8Parameters": "parameters", "Fp8Quantizer": "quantizing"}

__all__ = ["Fp8Parameters", "Fp8Quantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_fp8' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_fp8.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
