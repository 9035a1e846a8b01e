"""Attention by torch's flex attention: `attn_implementation="flex_attention"`."""

import importlib
from typing import Any

__all__ = ["flex_attention"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_flex_attention' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_flex_attention.attending"), name)
    globals()[name] = value
    return value
