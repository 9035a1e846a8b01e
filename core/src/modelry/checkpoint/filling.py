"""Dividing parts over places by their sizes. Arithmetic alone: no module, and no device that has to be there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from modelry.checkpoint.parts import Part
from modelry.errors import PlacementError

DISK: Literal["disk"] = "disk"
Place = torch.device | Literal["disk"]
Way = Literal["auto", "balanced", "sequential"]
WAYS: tuple[Way, ...] = ("auto", "balanced", "sequential")


@dataclass(frozen=True)
class Filled:
    """What lies where."""

    placed: tuple[tuple[Part, Place], ...]
    main: torch.device
    """Computes what lies on disk."""
    working: int
    """Bytes that the main device keeps free: for two neighbours from disk at a time, and what those remember."""

    def on(self, place: Place) -> list[Part]:
        """The parts that lie there."""
        return [part for part, where in self.placed if where == place]

    def taken(self, place: Place) -> int:
        """Bytes that are used there, what is kept free for the disk's parts included."""
        parts = self.on(place)
        own = sum(part.size + (0 if place == DISK else part.cache) for part in parts)
        return own + (self.working if place == self.main else 0)


def fill(parts: Sequence[Part], room: Mapping[Place, int | None], way: Way = "auto") -> Filled:
    """Put parts in their order on places in theirs, each until it is full.

    Args:
        room: bytes of each place, the fastest first; None: any number. The disk, if at all, last.
        way: "auto" and "sequential" fill each GPU before the next is begun, so that as few as possible hand on what
            they computed; "balanced" gives all GPUs about as much, which leaves each of them room for larger batches.

    Raises:
        PlacementError: parts are left over, or there is no room to compute what lies on disk.
    """
    main = next(place for place in room if isinstance(place, torch.device))
    gpus = [place for place in room if isinstance(place, torch.device) and place.type != "cpu"]
    if way == "balanced" and len(gpus) > 1:
        room = _levelled(parts, room, gpus)
    working = 0
    while True:
        placed = _in_order(parts, room, main, working)
        filled = Filled(tuple(placed), main, working)
        needed = working_memory(filled.on(DISK))
        if needed <= working:
            return filled
        working = needed


def working_memory(on_disk: Sequence[Part]) -> int:
    """Bytes to compute parts one after the other while the next one is read, and to remember what they remember."""
    sizes = [part.size for part in on_disk]
    pairs = [one + other for one, other in zip(sizes, sizes[1:] + sizes[:1], strict=True)] if len(sizes) > 1 else sizes
    return max(pairs, default=0) + sum(part.cache for part in on_disk)


def _in_order(
    parts: Sequence[Part], room: Mapping[Place, int | None], main: torch.device, working: int
) -> list[tuple[Part, Place]]:
    free = dict(room)
    loose = sum(part.size for part in parts if part.loose)
    first = free[main]
    if first is not None:
        free[main] = first - loose - working
        if first < loose + working and working:
            raise PlacementError(
                f"{main} may take {first:,} bytes, and to compute what lies on disk it needs {loose + working:,}: room "
                "for two neighbouring parts of the model at a time, and for what they remember. Give it more max_memory"
            )
    places = iter(free)
    here = next(places)
    placed: list[tuple[Part, Place]] = []
    for part in parts:
        if part.loose:
            placed.append((part, main))
            continue
        while not _fits(part, here, free[here]):
            after = next(places, None)
            if after is None:
                raise PlacementError(_full(parts, part, room))
            here = after
        left = free[here]
        free[here] = None if left is None else left - part.size - (0 if here == DISK else part.cache)
        placed.append((part, here))
    return placed


def _fits(part: Part, place: Place, free: int | None) -> bool:
    return free is None or part.size + (0 if place == DISK else part.cache) <= max(free, 0)


def _full(parts: Sequence[Part], part: Part, room: Mapping[Place, int | None]) -> str:
    places = ", ".join(f"{place} {size:,}" for place, size in room.items() if size is not None)
    return (
        f"the model has {sum(part.size for part in parts):,} bytes, and {part.paths[0]} finds no room on the devices "
        f"({places} bytes). Load it in a smaller dtype, quantized, or with more max_memory"
    )


def _levelled(
    parts: Sequence[Part], room: Mapping[Place, int | None], gpus: Sequence[torch.device]
) -> Mapping[Place, int | None]:
    """The same with the least limit for all GPUs under which they hold the model, if they hold it at all."""
    whole = [replace(part, loose=False) for part in parts]

    def limited(most: int) -> dict[Place, int | None]:
        return {gpu: min(most, size) if (size := room[gpu]) is not None else most for gpu in gpus}

    def holds(most: int) -> bool:
        try:
            _in_order(whole, limited(most), gpus[0], 0)
        except PlacementError:
            return False
        return True

    low, high = 0, sum(part.size + part.cache for part in parts)
    if not holds(high):
        return room
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return {**room, **limited(low)}
