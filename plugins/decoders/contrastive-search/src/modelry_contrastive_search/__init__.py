"""Contrastive search: likely tokens that do not make the text go round in circles."""

import importlib
from typing import Any

__all__ = ["ContrastiveSearchParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_contrastive_search' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_contrastive_search.decoding"), name)
    globals()[name] = value
    return value
