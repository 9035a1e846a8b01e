"""Checkpoints: tensors from files into models and back. Importing it brings no torch."""

import importlib
from typing import Any

from modelry.checkpoint.formats import carries_config, open_reader
from modelry.checkpoint.reader import CheckpointReader, TensorInfo

_ROOMS = {
    "WeightTable": "weight_table",
    "Transpose": "weight_table",
    "Former": "weight_table",
    "Rename": "weight_table",
    "Split": "weight_table",
    "Stack": "weight_table",
    "Ignore": "weight_table",
    "load_pretrained": "loading",
    "LoadOptions": "loading",
    "save_model": "saving",
}

__all__ = ["CheckpointReader", "TensorInfo", "carries_config", "open_reader", *_ROOMS]  # noqa: PLE0604  the names are strings


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry.checkpoint' has no attribute {name!r}")
    return getattr(importlib.import_module(f"modelry.checkpoint.{_ROOMS[name]}"), name)
