"""The Wav2Vec2 family for Modelry. Public names are loaded when they are used."""

from importlib import import_module
from typing import Any

_ROOMS = {
    "Wav2Vec2Config": "configuration",
    "Wav2Vec2CTCTokenizer": "tokenizer",
    "Wav2Vec2ForAudioFrameClassification": "classification",
    "Wav2Vec2ForCTC": "ctc",
    "Wav2Vec2ForPreTraining": "pretraining",
    "Wav2Vec2ForSequenceClassification": "classification",
    "Wav2Vec2ForXVector": "xvector",
    "Wav2Vec2Model": "modeling",
    "Wav2Vec2Processor": "processor",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
