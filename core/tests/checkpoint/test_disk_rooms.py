"""Room on disk for tensors that no file has as they are needed."""

import errno
import os
from pathlib import Path

import pytest
import torch

from modelry.checkpoint.disk_rooms import make_rooms
from modelry.checkpoint.safetensors_file import SafetensorsReader
from modelry.errors import PlacementError

WANTED = {
    "layer.weight": torch.empty(3, 5, dtype=torch.bfloat16, device="meta"),
    "layer.scale": torch.empty(3, device="meta"),
    "layer.none": torch.empty(0, 2, device="meta"),
    "head.weight": torch.empty(2, 2, dtype=torch.int8, device="meta"),
}
FILES = {"layer.weight": "layer", "layer.scale": "layer", "layer.none": "layer", "head.weight": "head"}


def test_what_is_written_to_a_room_is_in_a_safetensors_file(tmp_path: Path) -> None:
    rooms = make_rooms(tmp_path / "new" / "folder", WANTED, FILES)
    values = {name: torch.ones(one.shape).to(one.dtype) for name, one in WANTED.items()}
    for name, (room, region) in rooms.items():
        room.copy_(values[name])
        region.release()
        assert room.equal(values[name])
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "head.safetensors", "layer.safetensors",
    ]  # fmt: skip
    with SafetensorsReader(tmp_path / "new" / "folder" / "layer.safetensors") as reader:
        assert reader.read("layer.weight").equal(values["layer.weight"])
    again = make_rooms(tmp_path / "new" / "folder", WANTED, FILES)
    again["head.weight"][0].fill_(7)
    assert rooms["head.weight"][0].equal(values["head.weight"]), "an older model goes on with its own file"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlacementError, match="is a file; a folder is needed"):
        make_rooms(tmp_path / "file", WANTED, FILES)


def test_a_full_disk_and_a_folder_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.posix_fallocate, []

    def full(file: int, offset: int, size: int) -> None:
        calls.append(size)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, offset, size)

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(PlacementError, match=r"new: No space left on device\. 46 bytes .*, and [\d,]+ are free there"):
        make_rooms(tmp_path / "new", WANTED, FILES)
    assert list((tmp_path / "new").iterdir()) == [], "no file that looks whole"
    (tmp_path / "file").touch()
    with pytest.raises(PlacementError, match=r"offload_folder .*file/below: Not a directory\. 46 bytes are to be"):
        make_rooms(tmp_path / "file" / "below", WANTED, FILES)
