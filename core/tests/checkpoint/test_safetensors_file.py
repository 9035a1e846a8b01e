"""Tensors are mapped, not copied; what we write the format's own library reads, and the other way round."""

import mmap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry.checkpoint.dtypes import SAFETENSORS
from modelry.checkpoint.safetensors_file import SafetensorsReader
from modelry.checkpoint.safetensors_writing import ALIGNMENT, write_safetensors
from modelry.errors import CheckpointError

DTYPES = sorted(SAFETENSORS.values(), key=str)


def examples() -> dict[str, torch.Tensor]:
    """A tensor of each dtype, of odd sizes, so that a careless layout would not be aligned."""
    torch.manual_seed(0)
    return {
        str(dtype): torch.randint(0, 255, (3 * dtype.itemsize,), dtype=torch.uint8).view(dtype)
        if dtype != torch.bool
        else torch.tensor([True, False, True])
        for dtype in DTYPES
    }


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def test_we_read_what_the_formats_library_writes(tmp_path: Path) -> None:
    tensors = examples()
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    reader = SafetensorsReader(tmp_path / "x.safetensors")
    assert set(reader.names()) == set(tensors)
    assert reader.metadata == {"format": "pt"}
    for name, tensor in tensors.items():
        assert reader.read(name).dtype == tensor.dtype
        assert bits(reader.read(name)) == bits(tensor)
        assert reader.info(name).dtype == str(tensor.dtype).removeprefix("torch.")


def test_the_formats_library_reads_what_we_write(tmp_path: Path) -> None:
    tensors = {**examples(), "scalar": torch.tensor(1.5), "empty": torch.empty(0, 3), "turned": torch.ones(2, 3).T}
    write_safetensors(tmp_path / "x.safetensors", tensors)
    read = load_file(tmp_path / "x.safetensors")
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert read[name].shape == tensor.shape
        assert bits(read[name]) == bits(tensor)
    ours = SafetensorsReader(tmp_path / "x.safetensors")
    assert all(bits(ours.read(name)) == bits(tensor) for name, tensor in tensors.items())


def test_tensors_are_mapped_and_changes_stay_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.zeros(1000), "b": torch.ones(1000)})
    before = path.read_bytes()
    reader = SafetensorsReader(path)
    a, b = reader.read("a"), reader.read("b")
    assert b.data_ptr() - a.data_ptr() == 4000, "both lie in the same mapping"
    assert a.data_ptr() % ALIGNMENT == 0
    a += 1
    assert path.read_bytes() == before
    reader.close()
    assert a.sum() == 1000, "a tensor outlives its reader"


def test_releasing_gives_back_only_the_pages_of_one_tensor(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.ones(5000), "b": torch.ones(5000)})
    reader = SafetensorsReader(path)
    b = reader.read("b")
    b *= 2
    reader.release("a")
    assert reader.read("a").sum() == 5000
    assert b.sum() == 10_000


def test_a_tensor_at_an_odd_place(tmp_path: Path) -> None:
    header = (
        b'{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}'
    )
    data = b"\x07" + torch.tensor([2.5]).numpy().tobytes()
    (tmp_path / "odd").write_bytes(len(header).to_bytes(8, "little") + header + data)
    assert SafetensorsReader(tmp_path / "odd").read("y").item() == 2.5


def test_a_dtype_the_format_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="complex128"):
        write_safetensors(tmp_path / "x", {"a": torch.zeros(1, dtype=torch.complex128)})


def test_a_process_that_may_not_have_so_many_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"weight": torch.ones(3)}, tmp_path / "model.safetensors")

    def full(*arguments: object, **named: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", full)
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be mapped: its \d+ bytes .*ulimit -v"):
        SafetensorsReader(tmp_path / "model.safetensors").read("weight")
