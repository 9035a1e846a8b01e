"""Beam search: several texts are followed at a time, and those with the highest scores are returned."""

import importlib
from typing import Any

__all__ = ["BeamSearchParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_beam_search' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_beam_search.decoding"), name)
    globals()[name] = value
    return value
