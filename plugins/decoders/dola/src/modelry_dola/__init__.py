"""DoLa, decoding by contrasting layers: what the last layer adds to an early one counts."""

import importlib
from typing import Any

__all__ = ["DolaParameters", "decode"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'modelry_dola' has no attribute {name!r}")
    value = getattr(importlib.import_module("modelry_dola.decoding"), name)
    globals()[name] = value
    return value
