"""The header of a safetensors file, read with suspicion: every claim is checked before a tensor is. Needs no torch.

Format: 8 bytes, the length N of the header (little endian); N bytes of JSON; the tensors' bytes, without holes.
https://huggingface.co/docs/safetensors
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelry.errors import CheckpointError, NotFound

LARGEST_HEADER_BYTES = 100_000_000
MOST_DIMENSIONS = 64
"""As PyTorch has; the product of a million of them would take minutes."""

BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


@dataclass(frozen=True)
class Entry:
    """Where one tensor is."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the beginning of the file."""
    end: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file says it holds."""

    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read and check the header of a file.

    Raises:
        NotFound: no such file.
        CheckpointError: truncated, or a claim that cannot be true; says which tensor.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            first = file.read(8)
            length = int.from_bytes(first, "little")
            if len(first) < 8 or length > size - 8:
                raise CheckpointError(
                    f"{path} has {size:,} bytes and says its header has {length:,}: "
                    "it is truncated, or no safetensors file. Fetch it again"
                )
            if length > LARGEST_HEADER_BYTES:
                raise CheckpointError(f"{path} says its header has {length:,} bytes; at most {LARGEST_HEADER_BYTES:,}")
            text = file.read(length)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    try:
        values = json.loads(text.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no safetensors file: its header is not valid ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is no safetensors file: its header holds a {type(values).__name__}")
    metadata = values.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{path}: __metadata__ is not a mapping of strings to strings")
    data = 8 + length
    entries = {name: _entry(path, name, value, data, size) for name, value in values.items()}
    _check_layout(path, entries, data, size)
    return Header(entries, metadata)


def _entry(path: Path, name: str, value: Any, data: int, size: int) -> Entry:
    def wrong(what: str) -> CheckpointError:
        return CheckpointError(f"{path}: tensor {name[:200]!r} {what}")

    if not isinstance(value, dict):
        raise wrong(f"is described by a {type(value).__name__}")
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise wrong(f"has the dtype {str(dtype)[:40]!r}, which the format does not know")
    if not isinstance(shape, list) or not all(type(length) is int and 0 <= length < 2**62 for length in shape):
        raise wrong(f"has the impossible shape {str(shape)[:80]}")
    if len(shape) > MOST_DIMENSIONS:
        raise wrong(f"has {len(shape):,} dimensions; at most {MOST_DIMENSIONS} are read")
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(one) is int for one in offsets)):
        raise wrong(f"has the data_offsets {str(offsets)[:80]}, not two whole numbers")
    start, end = data + offsets[0], data + offsets[1]
    if not data <= start <= end <= size:
        raise wrong(
            f"should lie at bytes {start:,} to {end:,} of a file with {size:,}: it is truncated, or its header wrong"
        )
    needed = math.prod(shape) * BITS[dtype]
    if needed != (end - start) * 8:
        raise wrong(f"of shape {tuple(shape)} and dtype {dtype} needs {needed // 8:,} bytes, and has {end - start:,}")
    return Entry(dtype, tuple(shape), start, end)


def _check_layout(path: Path, entries: Mapping[str, Entry], data: int, size: int) -> None:
    """Refuse overlaps, holes and bytes of no tensor: each would let a file hide or share what it should not."""
    reached, before = data, "the header"
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start < reached:
            raise CheckpointError(f"{path}: tensors {before!r} and {name!r} overlap at byte {entry.start:,}")
        if entry.start > reached:
            raise CheckpointError(f"{path}: bytes {reached:,} to {entry.start:,}, before {name!r}, belong to no tensor")
        reached, before = entry.end, name
    if reached != size:
        raise CheckpointError(f"{path}: the {size - reached:,} bytes after the last tensor belong to none")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)[:200]!r} is there twice")
    return values
