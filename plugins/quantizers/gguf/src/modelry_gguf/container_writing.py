"""Writing a GGUF file of version 3: metadata, a table of tensors, their bytes. Nothing of models or tokenizers here.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, little-endian.
"""

import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # tqdm is not annotated

from modelry.atomic import written_aside
from modelry_gguf.tensor_types import TENSOR_TYPES

Fact = bool | int | float | str | list[str] | np.ndarray
"""A metadata value: whole numbers are written as uint32, floats as float32; arrays are int32 or float32."""

ALIGNMENT = 32
_NUMBERS = {kind.name: number for number, kind in TENSOR_TYPES.items()}


@dataclass(frozen=True)
class Pending:
    """A tensor that is to be written."""

    name: str
    type_name: str
    shape: tuple[int, ...]
    """Rows first, as torch has it."""
    read: Callable[[], Tensor]
    """Gives its bytes when their turn comes."""

    @property
    def size(self) -> int:
        """Bytes."""
        kind = TENSOR_TYPES[_NUMBERS[self.type_name]]
        return prod(self.shape) // kind.block_size * kind.block_bytes


def write_container(path: Path, facts: Mapping[str, Fact], tensors: Sequence[Pending]) -> None:
    """Write a file, one tensor in memory at a time. An older file there stays whole until the new one is complete.

    A progress bar is shown in a terminal.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    bar = tqdm(
        desc=path.name, total=sum(one.size for one in tensors), unit="B", unit_scale=True, file=sys.stderr, disable=None
    )
    with written_aside(path) as aside, aside.open("wb") as file, bar:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts)))
        for key, value in facts.items():
            file.write(_text(key) + _value(value))
        start = 0
        for tensor in tensors:
            shape = tensor.shape[::-1]
            file.write(_text(tensor.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            file.write(struct.pack("<IQ", _NUMBERS[tensor.type_name], start))
            start += -(-tensor.size // ALIGNMENT) * ALIGNMENT
        _pad(file)
        for tensor in tensors:
            data = tensor.read().contiguous()
            assert data.numel() == tensor.size, f"{tensor.name} has {data.numel()} bytes, {tensor.size} were told"
            data.view(-1).numpy().tofile(file)
            _pad(file)
            bar.update(tensor.size)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % ALIGNMENT))


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Fact) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    kind = {"i": 5, "f": 6}[value.dtype.kind]
    return struct.pack("<IIQ", 9, kind, len(value)) + value.astype("<i4" if kind == 5 else "<f4").tobytes()
