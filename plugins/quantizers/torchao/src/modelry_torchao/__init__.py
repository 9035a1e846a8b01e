"""The torchao quantization scheme: its configurations, computed by its tensors."""

import importlib
from typing import Any

_ROOMS = {"TorchAoParameters": "parameters", "TorchAoQuantizer": "quantizing"}

__all__ = ["TorchAoParameters", "TorchAoQuantizer"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_torchao' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_torchao.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
