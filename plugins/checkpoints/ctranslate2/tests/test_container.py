"""Damaged files are errors: never a crash, a hang or gigabytes of memory."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from modelry.errors import CheckpointError, NotFound
from modelry_ctranslate2 import CTranslate2Reader
from modelry_ctranslate2.container import open_container, specification_of


def text(value: str) -> bytes:
    """As the format writes it."""
    return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"


def tensor(name: str, *, shape: tuple[int, ...] = (2,), kind: int = 0, data: bytes = bytes(8)) -> bytes:
    """A tensor with its head."""
    head = text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    return head + struct.pack("<BI", kind, len(data)) + data


def file(*tensors: bytes, count: int | None = None, version: int = 6, rest: bytes = struct.pack("<I", 0)) -> bytes:
    """A whole file."""
    head = struct.pack("<I", version) + text("WhisperSpec")
    return head + struct.pack("<II", 3, len(tensors) if count is None else count) + b"".join(tensors) + rest


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (file(tensor("a"), version=99), "binary version 99"),
        (file(tensor("a"), count=0), "holds 0 tensors"),
        (file(tensor("a"), count=2**31), "holds 2,147,483,648 tensors"),
        (file(tensor("a"), count=2), "no name|truncated"),
        (file(tensor("a"), tensor("a")), "twice"),
        (file(tensor("a", kind=9)), "type 9"),
        (file(tensor("a", shape=(3,))), "8 bytes; its shape .3. in float32 takes 12"),
        (file(tensor("a", shape=(2**32 - 1,) * 8)), "takes"),
        (file(tensor("a", shape=(1,) * 9, data=bytes(4))), "9 dimensions"),
        (file(tensor("a"), rest=b""), "truncated"),
        (file(tensor("a"), rest=struct.pack("<I", 2**32 - 1)), "4,294,967,295 aliases"),
        (file(tensor("a"), rest=struct.pack("<I", 1) + text("b") + text("c")), "'b' stands for 'c'"),
        (file(tensor("a"), rest=struct.pack("<I", 0) + b"more"), "goes on for 4 bytes"),
        (file(tensor("a\nb")), "no name"),
        (b"", "ends after 0 bytes"),
    ],
)
def test_damaged_heads(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=told):
        open_container(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        open_container(tmp_path / "model.bin")
    assert specification_of(tmp_path / "model.bin") is None


def test_aliases_are_names(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(file(tensor("a"), rest=struct.pack("<I", 1) + text("b") + text("a")))
    found = open_container(path)
    assert found.tensors["b"] == found.tensors["a"]
    assert (found.specification, found.revision) == ("WhisperSpec", 3)


def test_hundreds_of_damaged_files(converted: Callable[[str], Path], tmp_path: Path) -> None:
    whole = (converted("int8") / "model.bin").read_bytes()
    path, chance = tmp_path / "model.bin", random.Random(0)
    for _ in range(300):
        data = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
        for _ in range(chance.randrange(1, 4) if data else 0):
            data[chance.randrange(min(len(data), 4000))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            with CTranslate2Reader(path) as reader:
                reader.config()
                reader.generation_config()
        except CheckpointError:
            continue
