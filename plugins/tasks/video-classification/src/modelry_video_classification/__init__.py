"""The video-classification pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_video_classification.parameters import VideoClassificationParameters
    from modelry_video_classification.pipeline import VideoClassificationPipeline

__all__ = ["VideoClassificationParameters", "VideoClassificationPipeline"]

_WHERE = {"VideoClassificationParameters": "parameters", "VideoClassificationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
