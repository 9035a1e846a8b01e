"""The automatic-speech-recognition pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_automatic_speech_recognition.parameters import SpeechRecognitionParameters
    from modelry_automatic_speech_recognition.pipeline import AutomaticSpeechRecognitionPipeline

__all__ = ["AutomaticSpeechRecognitionPipeline", "SpeechRecognitionParameters"]

_WHERE = {"SpeechRecognitionParameters": "parameters", "AutomaticSpeechRecognitionPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
