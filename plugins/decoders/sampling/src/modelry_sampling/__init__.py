"""Greedy decoding and multinomial sampling: the strategy `generate` takes when nothing else is asked for."""

import importlib
from typing import Any

__all__ = ["SamplingParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_sampling' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_sampling.decoding"), name)
    globals()[name] = value
    return value
