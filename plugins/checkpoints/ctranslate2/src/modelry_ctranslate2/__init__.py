"""Reads CTranslate2's model.bin: `AutoModelForSpeechSeq2Seq.from_pretrained("faster-whisper-tiny.en")`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_ctranslate2.reader import CTranslate2Reader as CTranslate2Reader

__all__ = ["CTranslate2Reader"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.reader"), name)


def __dir__() -> list[str]:
    return __all__
