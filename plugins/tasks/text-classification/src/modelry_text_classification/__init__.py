"""The text-classification pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_text_classification.parameters import TextClassificationParameters
    from modelry_text_classification.pipeline import TextClassificationPipeline

__all__ = ["TextClassificationParameters", "TextClassificationPipeline"]

_WHERE = {"TextClassificationParameters": "parameters", "TextClassificationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
