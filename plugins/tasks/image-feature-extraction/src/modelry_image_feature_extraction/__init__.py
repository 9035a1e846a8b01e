"""The image-feature-extraction pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_image_feature_extraction.parameters import ImageFeatureExtractionParameters
    from modelry_image_feature_extraction.pipeline import ImageFeatureExtractionPipeline

__all__ = ["ImageFeatureExtractionParameters", "ImageFeatureExtractionPipeline"]

_WHERE = {"ImageFeatureExtractionParameters": "parameters", "ImageFeatureExtractionPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
