"""The key/value part of a GGUF file: bounds-checked before anything is allocated. Plain data; no tensors here.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

import struct
from dataclasses import dataclass
from mmap import mmap

import numpy as np

from modelry.errors import CheckpointError

_SCALARS: dict[int, struct.Struct] = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_BOOL, _STRING, _ARRAY = 7, 8, 9
_NUMPY = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"}
_U32, _U64 = _SCALARS[4], _SCALARS[10]
_DEEPEST_ARRAY = 4  # no known file nests arrays at all; a limit keeps a hostile one from exhausting the stack
_LONGEST_KEY = 65535  # the format's own limit, in bytes


@dataclass(frozen=True)
class Texts:
    """An array of strings in the file: its bounds are checked, its words are decoded when they are asked for.

    Vocabularies are arrays of 50 to 250 thousand, and of a model's readers only the tokenizer's wants them.
    """

    data: mmap | bytes
    where: str
    what: str
    start: int
    """Bytes from the beginning of the file."""
    count: int

    def read(self) -> list[str]:
        """All of them.

        Raises:
            CheckpointError: one is not UTF-8.
        """
        data, position, unpack = self.data, self.start, _U64.unpack_from
        texts: list[str] = []
        keep = texts.append
        try:
            for _ in range(self.count):
                start = position + 8
                position = start + unpack(data, position)[0]
                keep(data[start:position].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise CheckpointError(
                f"{self.where}: string {len(texts):,} of {self.what} is not UTF-8 ({error.reason} at byte "
                f"{start + error.start:,} of the file). The file is corrupted: fetch it again and compare its checksum."
            ) from error
        return texts


Value = int | float | bool | str | list["Value"] | Texts | np.ndarray
"""A scalar; an array of strings or of arrays; or, for one of numbers, a read-only numpy array."""


class Cursor:
    """Reads one value after the other from a mapped file; every read is checked against the file's end."""

    def __init__(self, data: mmap | bytes, where: str) -> None:
        self.data = data
        self.size = len(data)
        self.where = where
        self.position = 0

    def fail(self, problem: str) -> CheckpointError:
        """The error to raise for `problem` at the present position."""
        return CheckpointError(
            f"{self.where}: {problem} (at byte {self.position:,} of {self.size:,}). "
            "The file is truncated or corrupted: fetch it again and compare its size and checksum."
        )

    def _need(self, count: int, what: str) -> None:
        if count > self.size - self.position:
            raise self.fail(f"{what} needs {count:,} bytes and only {self.size - self.position:,} are left")

    def u32(self, what: str) -> int:
        self._need(4, what)
        (value,) = _U32.unpack_from(self.data, self.position)
        self.position += 4
        return int(value)

    def u64(self, what: str) -> int:
        self._need(8, what)
        (value,) = _U64.unpack_from(self.data, self.position)
        self.position += 8
        return int(value)

    def string(self, what: str, *, longest: int | None = None) -> str:
        length = self.u64(f"the length of {what}")
        if longest is not None and length > longest:
            raise self.fail(f"{what} claims a length of {length:,} bytes; the limit is {longest:,}")
        self._need(length, what)
        raw = self.data[self.position : self.position + length]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8 ({error.reason} at its byte {error.start})") from error
        self.position += length
        return text

    def _strings(self, count: int, what: str) -> Texts:
        data, size, position, unpack = self.data, self.size, self.position, _U64.unpack_from
        furthest = size - 8
        for done in range(count):
            if position > furthest:
                raise self.fail(f"{what} claims {count:,} strings and ends after {done:,}")
            length = unpack(data, position)[0]
            position += 8 + length
            if position > size:
                raise self.fail(f"string {done:,} of {what} claims {length:,} bytes")
        texts = Texts(data, self.where, what, self.position, count)
        self.position = position
        return texts

    def _array(self, what: str, depth: int) -> Value:
        if depth > _DEEPEST_ARRAY:
            raise self.fail(f"{what} nests arrays deeper than {_DEEPEST_ARRAY}")
        kind = self.u32(f"the element type of {what}")
        count = self.u64(f"the element count of {what}")
        if kind in _NUMPY:
            dtype = np.dtype(_NUMPY[kind])
            self._need(count * dtype.itemsize, f"{what} with {count:,} elements")
            # Through bytes: one copy, aligned, and the mapping stays free of outside references.
            raw = self.data[self.position : self.position + count * dtype.itemsize]
            self.position += len(raw)
            return np.frombuffer(raw, dtype)
        if kind == _STRING:
            self._need(count * 8, f"{what} with {count:,} strings")
            return self._strings(count, what)
        if kind == _ARRAY:
            self._need(count * 12, f"{what} with {count:,} arrays")
            return [self._array(what, depth + 1) for _ in range(count)]
        raise self.fail(f"{what} holds elements of unknown type {kind}")

    def value(self, what: str) -> Value:
        """Read a type number and the value it announces."""
        kind = self.u32(f"the type of {what}")
        if kind in _SCALARS:
            scalar = _SCALARS[kind]
            self._need(scalar.size, what)
            (number,) = scalar.unpack_from(self.data, self.position)
            self.position += scalar.size
            # The shortest decimal that is the same float32: 1e-05 as published, not 9.999999747378752e-06.
            return float(str(np.float32(number))) if kind == 6 else number
        if kind == _BOOL:
            self._need(1, what)
            self.position += 1
            return self.data[self.position - 1] != 0
        if kind == _STRING:
            return self.string(what)
        if kind == _ARRAY:
            return self._array(what, 1)
        raise self.fail(f"{what} has unknown type {kind}")


def read_metadata(cursor: Cursor, count: int) -> dict[str, Value]:
    """Read `count` key/value pairs.

    Raises:
        CheckpointError: the file ends early, a key comes twice, or a type is unknown.
    """
    metadata: dict[str, Value] = {}
    for index in range(count):
        key = cursor.string(f"key {index:,} of {count:,}", longest=_LONGEST_KEY)
        if key in metadata:
            raise cursor.fail(f"key {key[:100]!r} comes twice")
        metadata[key] = cursor.value(f"the value of {key[:100]!r}")
    return metadata
