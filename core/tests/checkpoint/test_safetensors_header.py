"""Headers that lie, overlap or stop short are refused before a tensor is read."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelry.checkpoint.safetensors_file import SafetensorsReader
from modelry.checkpoint.safetensors_header import read_header
from modelry.errors import CheckpointError, NotFound


def written(path: Path, header: Any, data: bytes = b"", *, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_a_whole_file(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "b": entry("I8", [3], 8, 11), "a": entry("F32", [2], 0, 8)}
    found = read_header(written(tmp_path / "x", header, bytes(11)))
    assert found.entries["a"].shape == (2,)
    assert found.metadata == {"format": "pt"}


A = entry("F32", [2], 0, 8)


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        ({"a": entry("F32", [2**61] * 1_000_000, 0, 8)}, bytes(8), "1,000,000 dimensions; at most 64"),
        ({"a": A}, bytes(4), r"'a' should lie at bytes .* truncated"),
        ({"a": entry("F32", [2], 0, 2**70)}, bytes(8), "truncated"),
        ({"a": entry("F32", [2], -4, 4)}, bytes(8), "should lie"),
        ({"a": entry("F32", [3], 0, 8)}, bytes(8), r"needs 12 bytes, and has 8"),
        ({"a": A, "b": entry("F32", [2], 4, 12)}, bytes(12), "'a' and 'b' overlap"),
        ({"a": A, "b": A}, bytes(8), "overlap"),
        ({"a": entry("F32", [1], 4, 8)}, bytes(8), "belong to no tensor"),
        ({"a": A}, bytes(9), "1 bytes after the last tensor"),
        ({"a": entry("F31", [2], 0, 8)}, bytes(8), "dtype 'F31'"),
        ({"a": entry("F32", [-2], 0, 8)}, bytes(8), "impossible shape"),
        ({"a": entry("F32", [2**63, 2**63], 0, 8)}, bytes(8), "impossible shape"),
        ({"a": entry("F32", [True, 2], 0, 8)}, bytes(8), "impossible shape"),
        ({"a": {"dtype": "F32", "shape": [2]}}, bytes(8), "not two whole numbers"),
        ({"a": [1]}, b"", "described by a list"),
        ({"__metadata__": {"x": 1}}, b"", "__metadata__"),
        ([], b"", "holds a list"),
        (b"{not json", b"", "not valid"),
        (b'{"a":{},"a":{}}', b"", "'a' is there twice"),
        (b"\xff\xfe", b"", "not valid"),
        (b"[" * 200_000, b"", "not valid"),
    ],
)
def test_a_header_that_cannot_be_true(tmp_path: Path, header: Any, data: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_header(written(tmp_path / "model.safetensors", header, data))


@pytest.mark.parametrize("content", [b"", b"1234567", struct.pack("<Q", 2**63), struct.pack("<Q", 100) + b"{}"])
def test_a_file_that_stops_short(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match="truncated, or no safetensors file"):
        read_header(tmp_path / "x")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_header(tmp_path / "absent")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_an_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    """Any byte changed anywhere: a CheckpointError, or a file all of whose tensors can be read."""
    header = {"a": A, "b": entry("BF16", [3, 1], 8, 14)}
    content = bytearray(written(tmp_path / "x", header, bytes(14)).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "x").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        reader = SafetensorsReader(tmp_path / "x")
        for name in reader.names():
            assert tuple(reader.read(name).shape) == reader.info(name).shape
    except CheckpointError:
        pass
