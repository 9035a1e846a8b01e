"""Which registered checkpoint format reads a file: by its suffix. Needs no torch."""

from pathlib import Path

from modelry.checkpoint.reader import CheckpointReader
from modelry.errors import BrokenPlugin, CheckpointError, UnsafeCheckpoint
from modelry_registry import get_registry, resolve

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Formats that run code when they are read."""


def format_of(path: Path) -> str:
    """Name of the format of a file: its suffix without the dot, as formats are named in the registry.

    Raises:
        UnsafeCheckpoint: a pickled file.
        CheckpointError: no suffix.
    """
    suffix = path.suffix.lower()
    if suffix in PICKLED:
        raise UnsafeCheckpoint(f"{path} is a pickled file, which can run any code when it is read. {how_to_convert()}")
    if not suffix:
        raise CheckpointError(f"{path} has no suffix that says what format it is")
    return suffix[1:]


def how_to_convert() -> str:
    """What to do about a pickled checkpoint."""
    return (
        "Convert it once, in an environment that may run it: "
        "`import torch, safetensors.torch; tensors = torch.load('pytorch_model.bin', weights_only=True); "
        "safetensors.torch.save_file({k: v.clone().contiguous() for k, v in tensors.items()}, 'model.safetensors')`"
    )


def open_reader(path: Path) -> CheckpointReader:
    """Open a checkpoint file with the reader registered for its suffix.

    Raises:
        UnsafeCheckpoint, CheckpointError: a pickled or damaged file.
        RegistryError: no installed package reads this format.
    """
    spec = get_registry().get("checkpoints", format_of(path))
    reader = resolve(spec.reader)
    if not (isinstance(reader, type) and issubclass(reader, CheckpointReader)):
        raise BrokenPlugin(f"{spec.reader}, the reader of {path.suffix} files, is no CheckpointReader")
    return reader(path)


def carries_config(path: Path) -> bool:
    """Whether a file alone is a whole model (a .gguf file is, a .safetensors file is not)."""
    spec = get_registry().get("checkpoints", format_of(path))
    reader = resolve(spec.reader)
    return isinstance(reader, type) and issubclass(reader, CheckpointReader) and reader.carries_config
