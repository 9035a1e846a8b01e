"""Speculative decoding: the model checks cheap drafts, many tokens at a time; the text is its own."""

import importlib
from typing import Any

_ROOMS = {"decode": "modelry_speculative.decoding", "SpeculativeParameters": "modelry_speculative.parameters"}

__all__ = ["SpeculativeParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_speculative' has no attribute {name!r}")
    value = getattr(importlib.import_module(_ROOMS[name]), name)
    globals()[name] = value
    return value
