"""The image-segmentation pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_image_segmentation.parameters import ImageSegmentationParameters
    from modelry_image_segmentation.pipeline import ImageSegmentationPipeline

__all__ = ["ImageSegmentationParameters", "ImageSegmentationPipeline"]

_WHERE = {"ImageSegmentationParameters": "parameters", "ImageSegmentationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
