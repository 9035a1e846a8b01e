"""The audio-classification pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_audio_classification.parameters import AudioClassificationParameters
    from modelry_audio_classification.pipeline import AudioClassificationPipeline

__all__ = ["AudioClassificationParameters", "AudioClassificationPipeline"]

_WHERE = {"AudioClassificationParameters": "parameters", "AudioClassificationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
