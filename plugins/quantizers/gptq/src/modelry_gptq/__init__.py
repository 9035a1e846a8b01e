"""The gptq quantization scheme: `from_pretrained(ref)` of a checkpoint in its layout."""

import importlib
from typing import Any

_ROOMS = {"GptqParameters": "parameters", "GptqQuantizer": "quantizing"}

__all__ = ["GptqParameters", "GptqQuantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_gptq' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_gptq.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
