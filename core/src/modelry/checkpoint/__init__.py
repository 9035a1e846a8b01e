"""Checkpoints: tensors from files into models and back. Importing it brings no torch."""

from typing import TYPE_CHECKING

from modelry.checkpoint.formats import carries_config, open_reader
from modelry.checkpoint.reader import CheckpointReader, TensorInfo
from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry.checkpoint.loading import LoadOptions, load_pretrained
    from modelry.checkpoint.saving import save_model
    from modelry.checkpoint.weight_table import Former, Ignore, Rename, Split, Stack, Transpose, WeightTable

__all__ = [
    "CheckpointReader",
    "Former",
    "Ignore",
    "LoadOptions",
    "Rename",
    "Split",
    "Stack",
    "TensorInfo",
    "Transpose",
    "WeightTable",
    "carries_config",
    "load_pretrained",
    "open_reader",
    "save_model",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "weight_table": "WeightTable Transpose Former Rename Split Stack Ignore",
        "loading": "load_pretrained LoadOptions",
        "saving": "save_model",
    },
)
