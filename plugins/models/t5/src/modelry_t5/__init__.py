"""The T5 family for Modelry. Public names are loaded when they are used."""

from importlib import import_module
from typing import Any

_ROOMS = {
    "T5Config": "configuration",
    "T5Model": "modeling",
    "T5EncoderModel": "modeling",
    "T5ForConditionalGeneration": "modeling",
    "T5ForSequenceClassification": "modeling",
    "T5ForTokenClassification": "modeling",
    "T5ForQuestionAnswering": "modeling",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
