"""A GGUF file as metadata and a table of tensors over a memory mapping; nothing of models or tokenizers here."""

import platform
import sys
from dataclasses import dataclass
from math import prod
from mmap import ACCESS_COPY, mmap
from pathlib import Path

from modelry.errors import CheckpointError, NotFound
from modelry_gguf.facts import Facts
from modelry_gguf.metadata import Cursor, read_metadata
from modelry_gguf.tensor_types import TENSOR_TYPES, TensorType

if sys.platform == "linux":
    from mmap import MAP_PRIVATE, PROT_READ, PROT_WRITE

    # MAP_NORESERVE, which Python 3.11 does not name: no swap is set aside, so that a file larger than the memory can be
    # mapped too.
    _NO_RESERVE = 0x4000

_LONGEST_NAME = 1024  # bytes; llama.cpp itself stops at 64
_MOST_DIMENSIONS = 4
_LARGEST_ALIGNMENT = 1 << 20


@dataclass(frozen=True)
class StoredTensor:
    """Where one tensor lies in the file."""

    name: str
    type: TensorType
    shape: tuple[int, ...]
    """Rows first, as torch has it (the file lists the fastest dimension first)."""
    start: int
    """Bytes from the beginning of the file."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Container:
    """One opened GGUF file."""

    path: Path
    mapping: mmap
    """Private: writing to it changes memory, never the file."""
    facts: Facts
    tensors: dict[str, StoredTensor]


def open_container(path: Path) -> Container:
    """Map `path` and read its metadata and tensor table.

    Raises:
        NotFound: there is no such file.
        CheckpointError: it is no GGUF file of version 2 or 3, is one of several parts, is truncated, or lies.
    """
    mapping = _map(path)
    cursor = Cursor(mapping, str(path))
    if mapping[:4] != b"GGUF":
        raise CheckpointError(f"{path} is not a GGUF file: it begins with {mapping[:4]!r} where b'GGUF' is expected.")
    cursor.position = 4
    version = cursor.u32("the version")
    if version not in (2, 3):
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        hint = f"big-endian version {swapped}" if swapped in (2, 3) else f"version {version}"
        raise CheckpointError(
            f"{path} is a GGUF file of {hint}; versions 2 and 3, little-endian, can be read. Convert the model again."
        )
    tensor_count = cursor.u64("the number of tensors")
    key_count = cursor.u64("the number of metadata keys")
    facts = Facts(read_metadata(cursor, key_count), str(path))
    parts = facts.integer("split.count")
    if parts is not None and parts > 1:
        raise CheckpointError(
            f"{path} is one of {parts} parts. Join them first: llama-gguf-split --merge FIRST_PART OUT.gguf"
        )
    return Container(path, mapping, facts, _read_tensors(cursor, tensor_count, facts))


def _map(path: Path) -> mmap:
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise CheckpointError(f"{path} is empty. Fetch it again.")
            if sys.platform == "linux":
                flags = MAP_PRIVATE | (_NO_RESERVE if platform.machine() in ("x86_64", "aarch64") else 0)
                return mmap(file.fileno(), 0, flags=flags, prot=PROT_READ | PROT_WRITE)
            return mmap(file.fileno(), 0, access=ACCESS_COPY)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error


def _read_tensors(cursor: Cursor, count: int, facts: Facts) -> dict[str, StoredTensor]:
    alignment = facts.integer("general.alignment")
    if alignment is None:
        alignment = 32
    if alignment < 8 or alignment % 8 or alignment > _LARGEST_ALIGNMENT:
        raise CheckpointError(
            f"{facts.where}: general.alignment is {alignment}; a multiple of 8 is expected. The file is corrupted."
        )
    described: dict[str, tuple[TensorType, tuple[int, ...], int, int]] = {}
    for index in range(count):
        name = cursor.string(f"the name of tensor {index:,} of {count:,}", longest=_LONGEST_NAME)
        if name in described:
            raise cursor.fail(f"tensor {name!r} comes twice")
        described[name] = _describe(cursor, name, alignment)
    data_start = -(-cursor.position // alignment) * alignment
    tensors = {
        name: StoredTensor(name, kind, shape, data_start + offset, size)
        for name, (kind, shape, offset, size) in described.items()
    }
    end, before = data_start, "the tensor table"
    for tensor in sorted(tensors.values(), key=lambda one: (one.start, one.size)):
        if tensor.start < end:
            raise cursor.fail(f"tensor {tensor.name!r} overlaps {before}")
        end, before = tensor.start + tensor.size, f"tensor {tensor.name!r}"
        if end > cursor.size:
            raise cursor.fail(f"{before} ends at byte {end:,}, after the end of the file")
    return tensors


def _describe(cursor: Cursor, name: str, alignment: int) -> tuple[TensorType, tuple[int, ...], int, int]:
    dimensions = cursor.u32(f"the dimensions of {name!r}")
    if dimensions > _MOST_DIMENSIONS:
        raise cursor.fail(f"tensor {name!r} claims {dimensions:,} dimensions; the limit is {_MOST_DIMENSIONS}")
    shape = tuple(cursor.u64(f"a dimension of {name!r}") for _ in range(dimensions))[::-1]
    if 0 in shape:
        raise cursor.fail(f"tensor {name!r} claims the empty shape {shape}")
    number = cursor.u32(f"the type of {name!r}")
    offset = cursor.u64(f"the offset of {name!r}")
    kind = TENSOR_TYPES.get(number)
    if kind is None:
        raise CheckpointError(
            f"{cursor.where}: tensor {name!r} has type number {number}, which is none that is known here."
        )
    if offset % alignment:
        raise cursor.fail(f"tensor {name!r} begins at {offset:,}, which is no multiple of the alignment {alignment}")
    row = shape[-1] if shape else 1
    if row % kind.block_size:
        raise cursor.fail(
            f"tensor {name!r} has rows of {row:,}, which is no multiple of the {kind.block_size} of {kind.name}"
        )
    size = prod(shape) // kind.block_size * kind.block_bytes
    if size > cursor.size:
        raise cursor.fail(f"tensor {name!r} of shape {shape} needs {size:,} bytes")
    return kind, shape, offset, size
