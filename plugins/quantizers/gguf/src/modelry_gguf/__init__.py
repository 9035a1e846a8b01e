"""Reads GGUF files as Modelry checkpoints."""

from typing import Any

__all__ = ["GgufReader"]


def __getattr__(name: str) -> Any:
    if name != "GgufReader":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from modelry_gguf.reader import GgufReader

    return GgufReader
