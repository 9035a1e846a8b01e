"""The token-classification pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_token_classification.parameters import TokenClassificationParameters
    from modelry_token_classification.pipeline import TokenClassificationPipeline

__all__ = ["TokenClassificationParameters", "TokenClassificationPipeline"]

_WHERE = {"TokenClassificationParameters": "parameters", "TokenClassificationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
