"""The LayoutLMv3 family for Modelry. Public names are loaded when they are used."""

from importlib import import_module
from typing import Any

_ROOMS = {
    "LayoutLMv3Config": "configuration",
    "LayoutLMv3Model": "modeling",
    "LayoutLMv3ForQuestionAnswering": "heads",
    "LayoutLMv3ForSequenceClassification": "heads",
    "LayoutLMv3ForTokenClassification": "heads",
    "LayoutLMv3ImageProcessor": "image_processor",
    "LayoutLMv3Processor": "processing",
    "LayoutLMv3Tokenizer": "tokenizer",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
