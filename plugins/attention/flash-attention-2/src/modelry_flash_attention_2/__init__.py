"""Attention by the flash attention packages: `attn_implementation="flash_attention_2"`, or 3."""

import importlib
from typing import Any

_ROOMS = {"FlashAttention": "attending", "flash_attention_2": "attending", "flash_attention_3": "attending"}

__all__ = ["FlashAttention", "flash_attention_2", "flash_attention_3"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_flash_attention_2' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_flash_attention_2.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
