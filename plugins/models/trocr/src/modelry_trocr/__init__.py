"""The decoder and the processor of TrOCR for Modelry. Public names are loaded when they are used."""

from importlib import import_module
from typing import Any

_ROOMS = {"TrOCRConfig": "configuration", "TrOCRForCausalLM": "modeling", "TrOCRProcessor": "processing"}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
