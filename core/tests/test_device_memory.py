"""A device's memory, as the system says it."""

import torch

from modelry import device_memory
from modelry.device_memory import memory_of

CPU = torch.device("cpu")


def test_a_container_may_have_less(monkeypatch, tmp_path):
    for said, has in (("4096\n", 4096), ("max\n", memory_of(CPU))):
        (tmp_path / "memory.max").write_text(said)
        monkeypatch.setattr(device_memory, "_LIMIT", tmp_path / "memory.max")
        assert memory_of.__wrapped__(CPU) == has


def test_devices_that_say_nothing() -> None:
    assert memory_of(torch.device("meta")) is None
