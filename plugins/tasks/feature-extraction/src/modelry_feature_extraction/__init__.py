"""The feature-extraction pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_feature_extraction.parameters import FeatureExtractionParameters
    from modelry_feature_extraction.pipeline import FeatureExtractionPipeline

__all__ = ["FeatureExtractionParameters", "FeatureExtractionPipeline"]

_WHERE = {"FeatureExtractionParameters": "parameters", "FeatureExtractionPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
