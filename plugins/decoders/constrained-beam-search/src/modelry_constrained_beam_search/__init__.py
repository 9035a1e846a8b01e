"""Constrained beam search: every text contains given words or phrases."""

import importlib
from typing import Any

_ROOMS = {
    "ConstrainedBeamSearchParameters": "parameters",
    "DisjunctiveConstraint": "constraints",
    "PhrasalConstraint": "constraints",
    "decode": "decoding",
}

__all__ = ["ConstrainedBeamSearchParameters", "DisjunctiveConstraint", "PhrasalConstraint", "decode"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_constrained_beam_search' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_constrained_beam_search.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
