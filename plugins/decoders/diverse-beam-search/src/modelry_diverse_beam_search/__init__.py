"""Diverse beam search: groups of beams, each of which avoids the tokens that the groups before it chose."""

import importlib
from typing import Any

__all__ = ["DiverseBeamSearchParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_diverse_beam_search' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_diverse_beam_search.decoding"), name)
    globals()[name] = value
    return value
