"""Dividing parts by their sizes; the devices need not be here."""

import pytest
import torch

from modelry.checkpoint.filling import DISK, Filled, Place, fill, working_memory
from modelry.checkpoint.parts import Part
from modelry.errors import PlacementError

CPU, FAST, FASTER = torch.device("cpu"), torch.device("cuda", 1), torch.device("cuda", 0)
FIVES = [Part((name,), 5) for name in "abc"] + [Part(("d",), 1)]


def where(filled: Filled) -> list[Place]:
    return [place for _, place in filled.placed]


def test_devices_are_filled_in_order() -> None:
    assert where(fill(FIVES, {FASTER: 100})) == [FASTER] * 4
    assert where(fill(FIVES, {FASTER: 10, CPU: 100}, "sequential")) == [FASTER, FASTER, CPU, CPU]
    assert where(fill(FIVES, {FASTER: 1, FAST: 9, CPU: 11})) == [FAST, CPU, CPU, CPU]
    with pytest.raises(PlacementError, match=r"has 16 bytes, and c finds no room .* cpu 5"):
        fill(FIVES, {FASTER: 5, CPU: 5})


def test_a_part_takes_its_cache_along() -> None:
    parts = [Part((name,), 5, cache=3) for name in "ab"]
    assert where(fill(parts, {FASTER: 15, CPU: 100})) == [FASTER, CPU]
    assert fill(parts, {FASTER: 16}).taken(FASTER) == 16


def test_balanced_gives_gpus_alike_and_uses_the_cpu_only_when_it_must() -> None:
    parts = [Part((str(number),), 4) for number in range(6)]
    assert where(fill(parts, {FASTER: 100, FAST: 100, CPU: 100}, "balanced")) == [FASTER] * 3 + [FAST] * 3
    assert where(fill(parts, {FASTER: 8, FAST: 100, CPU: 100}, "balanced")) == [FASTER] * 2 + [FAST] * 4
    assert where(fill(parts, {FASTER: 8, FAST: 9, CPU: 100}, "balanced")) == [FASTER] * 2 + [FAST] * 2 + [CPU] * 2
    assert where(fill(parts, {FASTER: 100, CPU: 100}, "balanced")) == [FASTER] * 6, "one GPU is filled"


def test_the_rest_stays_on_disk_and_leaves_room_for_two_of_it() -> None:
    filled = fill(FIVES, {CPU: 15, DISK: None})
    assert where(filled) == [CPU, DISK, DISK, DISK]
    assert (filled.main, filled.working) == (CPU, 10)
    assert filled.taken(CPU) == 15
    assert filled.taken(DISK) == 11
    with pytest.raises(PlacementError, match="cpu may take 9 bytes, and to compute what lies on disk it needs 10"):
        fill(FIVES, {CPU: 9, DISK: None})
    with pytest.raises(PlacementError, match="finds no room"):
        fill(FIVES, {CPU: 15, DISK: 3})


def test_the_fastest_device_computes_what_lies_on_disk_and_keeps_its_cache() -> None:
    parts = [Part((name,), 5, cache=1) for name in "abcde"]
    filled = fill(parts, {FASTER: 19, CPU: 6, DISK: None})
    assert where(filled) == [FASTER, CPU, DISK, DISK, DISK]
    assert (filled.main, filled.working) == (FASTER, 13)
    assert filled.taken(FASTER) == 19


def test_what_belongs_to_no_layer_is_never_on_disk() -> None:
    parts = [Part(("a",), 5), Part(("b",), 5), Part(("c",), 5), Part(("token",), 2, loose=True)]
    assert where(fill(parts, {CPU: 12, DISK: None})) == [DISK, DISK, DISK, CPU]


def test_working_memory() -> None:
    assert working_memory([]) == 0
    assert working_memory([Part(("a",), 4)]) == 4
    assert working_memory([Part((name,), size) for name, size in (("a", 4), ("b", 1), ("c", 5))]) == 9, "a after c"
