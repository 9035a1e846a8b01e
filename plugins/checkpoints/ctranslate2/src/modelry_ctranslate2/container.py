"""The bytes of a model.bin: which tensors there are, of what type, and where. No tensor is read here, and no torch.

Little-endian: version, name of the model's specification, its revision, number of tensors; then each tensor's name,
number of dimensions and dimensions, type, size in bytes and bytes; then aliases, pairs of names. A text is its length
in two bytes, the null at its end counted, and its bytes. Source: CTranslate2's model_spec.py, binary versions 4 to 6.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modelry.errors import CheckpointError, NotFound

VERSIONS = (4, 5, 6)
TYPES = {
    0: ("float32", 4),
    1: ("int8", 1),
    2: ("int16", 2),
    3: ("int32", 4),
    4: ("float16", 2),
    5: ("bfloat16", 2),
}
"""Number in the file to torch's name and bytes of an element."""
MOST_TENSORS, MOST_DIMENSIONS, LONGEST_NAME = 100_000, 8, 512


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the file has it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    """First byte in the file."""
    nbytes: int


@dataclass(frozen=True)
class Container:
    """What a file holds."""

    path: Path
    specification: str
    """"WhisperSpec"."""
    revision: int
    tensors: dict[str, StoredTensor]
    """By every name that the file has for them: of tensors with equal values it keeps one."""


class _Cursor:
    """Reads numbers and texts, and knows where the file ends."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.size = path.stat().st_size

    def number(self, form: str, what: str) -> int:
        size = struct.calcsize(form)
        data = self.file.read(size)
        if len(data) < size:
            raise CheckpointError(f"{self.path} ends after {self.size:,} bytes, inside {what}: it is truncated")
        found: int = struct.unpack(form, data)[0]
        return found

    def text(self, what: str) -> str:
        length = self.number("<H", what)
        data = self.file.read(length)
        if len(data) < length:
            raise CheckpointError(f"{self.path} ends after {self.size:,} bytes, inside {what}: it is truncated")
        text = data[:-1].decode("ascii", errors="replace")
        if not 1 < length <= LONGEST_NAME or data[-1] != 0 or not text.isprintable() or not data[:-1].isascii():
            raise CheckpointError(f"{self.path}: {what} is {data[:40]!r}, which is no name")
        return text

    def skip(self, size: int, what: str) -> int:
        start = self.file.tell()
        if size > self.size - start:
            raise CheckpointError(
                f"{self.path}: {what} has {size:,} bytes from byte {start:,} on, and the file ends at {self.size:,}"
            )
        self.file.seek(size, 1)
        return start


def specification_of(path: Path) -> str | None:
    """The specification that the head of a file names; None where it is no such file."""
    try:
        with path.open("rb") as file:
            cursor = _Cursor(file, path)
            if cursor.number("<I", "the version") not in VERSIONS:
                return None
            return cursor.text("the name of its specification")
    except (OSError, CheckpointError):
        return None


def open_container(path: Path) -> Container:
    """Read a file's directory.

    Raises:
        NotFound: there is no such file.
        CheckpointError: it is truncated, damaged, or of another version.
    """
    try:
        with path.open("rb") as file:
            return _read(_Cursor(file, path))
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error


def _read(cursor: _Cursor) -> Container:
    path = cursor.path
    version = cursor.number("<I", "the version")
    if version not in VERSIONS:
        raise CheckpointError(
            f"{path} is of binary version {version}; CTranslate2's versions {VERSIONS[0]} to {VERSIONS[-1]} are read. "
            "Convert the model again with a current ctranslate2"
        )
    specification = cursor.text("the name of its specification")
    revision, count = cursor.number("<I", "the revision"), cursor.number("<I", "the number of tensors")
    if not 0 < count <= MOST_TENSORS:
        raise CheckpointError(f"{path} says that it holds {count:,} tensors; 1 to {MOST_TENSORS:,} are possible")
    tensors: dict[str, StoredTensor] = {}
    for number in range(count):
        tensor = _tensor(cursor, f"tensor {number + 1} of {count}")
        if tensors.setdefault(tensor.name, tensor) is not tensor:
            raise CheckpointError(f"{path} holds the tensor {tensor.name!r} twice")
    aliases = cursor.number("<I", "the number of aliases")
    if aliases > MOST_TENSORS:
        raise CheckpointError(f"{path} says that it has {aliases:,} aliases; {MOST_TENSORS:,} are possible")
    for _ in range(aliases):
        alias, name = cursor.text("an alias"), cursor.text("what an alias stands for")
        if name not in tensors:
            raise CheckpointError(f"{path}: {alias!r} stands for {name!r}, a tensor that the file does not hold")
        if alias in tensors:
            raise CheckpointError(f"{path} holds the tensor {alias!r} twice")
        tensors[alias] = tensors[name]
    if cursor.file.tell() != cursor.size:
        raise CheckpointError(f"{path} goes on for {cursor.size - cursor.file.tell():,} bytes after its last alias")
    return Container(path, specification, revision, tensors)


def _tensor(cursor: _Cursor, what: str) -> StoredTensor:
    name = cursor.text(what)
    dimensions = cursor.number("<B", name)
    if dimensions > MOST_DIMENSIONS:
        raise CheckpointError(
            f"{cursor.path}: {name!r} has {dimensions} dimensions; at most {MOST_DIMENSIONS} are read"
        )
    shape = tuple(cursor.number("<I", name) for _ in range(dimensions))
    kind, nbytes = cursor.number("<B", name), cursor.number("<I", name)
    if kind not in TYPES:
        raise CheckpointError(f"{cursor.path}: {name!r} is of type {kind}; the types are 0 to {max(TYPES)}")
    dtype, width = TYPES[kind]
    if nbytes != math.prod(shape) * width:
        raise CheckpointError(
            f"{cursor.path}: {name!r} has {nbytes:,} bytes; its shape {list(shape)} in {dtype} "
            f"takes {math.prod(shape) * width:,}"
        )
    return StoredTensor(name, dtype, shape, cursor.skip(nbytes, name), nbytes)
