"""A device's memory, as the system says it."""

from pathlib import Path

import pytest
import torch

from modelry import device_memory
from modelry.device_memory import memory_left, memory_of

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("groups", "limits", "has"),
    [
        ("0::/\n", {"memory.max": "4096\n"}, 4096),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("0::/job/step\n", {"job/memory.max": "5000", "job/step/memory.max": "6000"}, 5000),
        ("1:cpu:/\n4:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": "7000"}, 7000),
        ("4:memory:/outside/of/it\n", {"memory/memory.limit_in_bytes": "8000"}, 8000),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        (None, {}, None),
    ],
)
def test_a_container_or_a_job_may_have_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, groups: str | None, limits: dict[str, str], has: int | None
) -> None:
    monkeypatch.setattr(device_memory, "_LIMITS", tmp_path)
    monkeypatch.setattr(device_memory, "_GROUPS", tmp_path / "none")
    whole = memory_of.__wrapped__(CPU)
    monkeypatch.setattr(device_memory, "_GROUPS", tmp_path / "groups")
    if groups is not None:
        (tmp_path / "groups").write_text(groups)
    for name, limit in limits.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(limit)
    assert memory_of.__wrapped__(CPU) == (whole if has is None else has)


def test_what_this_process_holds_is_not_left() -> None:
    held = torch.ones(1 << 20)
    has, left = memory_of(CPU), memory_left()
    assert has is not None
    assert left is not None
    assert left < has - held.nbytes or not device_memory._OWN.is_file()


def test_devices_that_say_nothing() -> None:
    assert memory_of(torch.device("meta")) is None
