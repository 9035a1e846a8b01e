"""Constrained decoding: answers that match a JSON schema, a regular expression, a grammar or a list of choices."""

import importlib
from typing import Any

_WHERE = {"ConstrainedParameters": "parameters", "decode": "decoding"}
__all__ = ["ConstrainedParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'modelry_constrained' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_constrained.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
