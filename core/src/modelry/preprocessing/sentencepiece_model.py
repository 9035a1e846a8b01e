"""Reading a SentencePiece .model file: the few fields of its protocol buffer that a tokenizer needs.

Format: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto and
https://protobuf.dev/programming-guides/encoding/. Turning it into a tokenizer is in sentencepiece_conversion.py.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from modelry.errors import PreprocessorError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class PieceType(IntEnum):
    """What a piece is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Algorithm(IntEnum):
    """How the pieces were learned, and how text is cut."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHAR = 4


@dataclass(frozen=True)
class Piece:
    """One token; its id is its position."""

    text: str = ""
    score: float = 0.0
    kind: PieceType = PieceType.NORMAL


@dataclass(frozen=True)
class SentencePieceModel:
    """What a .model file says. An id of -1 means: there is none."""

    pieces: list[Piece] = field(default_factory=list)
    algorithm: Algorithm = Algorithm.UNIGRAM
    byte_fallback: bool = False
    unk_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    pad_id: int = -1
    charsmap: bytes = b""
    """Compiled replacements of characters, for normalizers.Precompiled."""
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = True


def read_sentencepiece(data: bytes, where: str) -> SentencePieceModel:
    """Read a .model file.

    Raises:
        PreprocessorError: it is not one, or it is damaged; says which.
    """
    pieces: list[Piece] = []
    trainer: dict[int, int] = {}
    normalizer: dict[int, int | bytes] = {}
    try:
        for number, value in _fields(data):
            if number == 1 and isinstance(value, bytes):
                pieces.append(_piece(value))
            elif number == 2 and isinstance(value, bytes):
                trainer.update((key, one) for key, one in _fields(value) if isinstance(one, int))
            elif number == 3 and isinstance(value, bytes):
                normalizer.update((key, one) for key, one in _fields(value) if isinstance(one, int | bytes))
        if not pieces:
            raise ValueError("no pieces")
        charsmap = normalizer.get(2, b"")
        model = SentencePieceModel(
            pieces=pieces,
            algorithm=Algorithm(trainer.get(3, 1)),
            byte_fallback=bool(trainer.get(35, 0)),
            unk_id=_signed(trainer.get(40, 0)),
            bos_id=_signed(trainer.get(41, 1)),
            eos_id=_signed(trainer.get(42, 2)),
            pad_id=_signed(trainer.get(43, -1)),
            charsmap=charsmap if isinstance(charsmap, bytes) else b"",
            add_dummy_prefix=bool(normalizer.get(3, 1)),
            remove_extra_whitespaces=bool(normalizer.get(4, 1)),
        )
    except (ValueError, struct.error) as error:
        raise PreprocessorError(f"{where} is not a SentencePiece model, or it is damaged: {error}") from error
    if not 0 <= model.unk_id < len(pieces):
        raise PreprocessorError(f"{where} says that token {model.unk_id} is the unknown one, of {len(pieces)} tokens")
    return model


def _piece(data: bytes) -> Piece:
    text, score, kind = "", 0.0, PieceType.NORMAL
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, float):
            score = value
        elif number == 3 and isinstance(value, int):
            kind = PieceType(value)
    return Piece(text, score, kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield (field number, value) of one message.

    Raises:
        ValueError: the bytes are no message.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError(f"field {number} wants {length} bytes, {len(data) - at} are left")
            yield number, data[at : at + length]
            at += length
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
            (real,) = struct.unpack("<f" if size == 4 else "<d", data[at : at + size])
            yield number, real
            at += size
        else:
            raise ValueError(f"field {number} has the unknown wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; returns it and the next position."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("the file ends inside a number")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _signed(value: int) -> int:
    """Negative numbers are written as 64-bit two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value
