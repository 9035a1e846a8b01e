"""The object-detection pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_object_detection.pipeline import ObjectDetectionParameters, ObjectDetectionPipeline

__all__ = ["ObjectDetectionParameters", "ObjectDetectionPipeline"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.pipeline"), name)
