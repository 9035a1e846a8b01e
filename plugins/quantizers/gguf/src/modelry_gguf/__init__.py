"""Reads GGUF files as Modelry checkpoints, keeps their blocks packed, and writes such files.

`from_pretrained("model.gguf", quantization="gguf")`; `save_gguf(model, tokenizer, path, type="Q4_0")`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_gguf.parameters import GgufParameters as GgufParameters
    from modelry_gguf.quantizing import GgufQuantizer as GgufQuantizer
    from modelry_gguf.reader import GgufReader as GgufReader
    from modelry_gguf.saving import save_gguf as save_gguf

_ROOMS = {
    "GgufParameters": "parameters",
    "GgufQuantizer": "quantizing",
    "GgufReader": "reader",
    "save_gguf": "saving",
}

__all__ = ["GgufParameters", "GgufQuantizer", "GgufReader", "save_gguf"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_gguf.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
