"""The text2text-generation pipeline for Modelry."""

from importlib import import_module
from typing import Any

__all__ = ["Text2TextGenerationPipeline"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.pipeline"), name)
