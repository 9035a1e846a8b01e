"""Parts of mapped files come into memory and leave it."""

import mmap
from pathlib import Path

import numpy as np

from modelry.checkpoint.regions import Region


def resident() -> int:
    """Bytes of mapped files that this process has in memory."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssFile"))


def test_pages_come_and_go(tmp_path: Path) -> None:
    size = 8 * 2**20
    (tmp_path / "file").write_bytes(b"\1" * size)
    with (tmp_path / "file").open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    region = Region(memory, 100, size - 100)
    before = resident()
    region.bring()
    assert resident() - before > 0.9 * size
    region.release()
    assert resident() - before < 0.1 * size
    assert np.frombuffer(memory, np.uint8)[size // 2] == 1, "read again"


def test_what_shares_its_pages_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\1" * 100)
    with (tmp_path / "file").open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    memory[50] = 2
    for region in (Region(memory, 0, 50), Region(memory, 0, 0)):
        region.bring()
        region.release()
    assert memory[50] == 2
