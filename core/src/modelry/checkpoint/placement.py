"""Which part of a model goes to which device, or stays on disk.

Whole layers are placed, never parts of one, and what shares a weight lies together. What cannot be is refused before a
tensor is read.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from modelry.accelerators import CPU, accelerator, accelerators, free_bytes, numbered, shares_memory
from modelry.checkpoint.filling import DISK, WAYS, Place, fill
from modelry.checkpoint.parts import blocks, parts_of
from modelry.device_memory import memory_left
from modelry.errors import PlacementError

Device = str | int | torch.device
DeviceMap = str | int | torch.device | Mapping[str, Device] | None

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B\s*", re.IGNORECASE)
LEFT_FREE = 0.1
"""Share of a device's memory that stays free for activations and the cache."""


@dataclass(frozen=True)
class Placement:
    """Where everything is."""

    places: Mapping[str, Place]
    """By path of a module or tensor; "" is the whole model. The longest path that fits decides."""
    main: torch.device
    """Computes what lies on disk."""

    def place_of(self, name: str) -> Place:
        """Where a tensor or module lies: by the longest path that leads to it, else by the first."""
        path = name
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places[path] if path in self.places else next(iter(self.places.values()))

    def device_of(self, name: str) -> torch.device:
        """The device whose memory shows a tensor between passes: the CPU's, of what lies on disk."""
        place = self.place_of(name)
        return place if isinstance(place, torch.device) else CPU

    def computing_device(self, name: str) -> torch.device:
        """The device that computes a module: the main one, of what lies on disk."""
        place = self.place_of(name)
        return place if isinstance(place, torch.device) else self.main

    def computing(self) -> dict[str, torch.device]:
        """The same of every placed part."""
        return {path: self.computing_device(path) for path in self.places}

    def published(self) -> dict[str, int | str]:
        """As `hf_device_map` says it: a GPU's number, or the name of the place."""
        return {path: published_place(place) for path, place in self.places.items()}


def published_place(place: Place) -> int | str:
    """A GPU's number, "cpu", "disk", or the name of another accelerator."""
    return (place.index or 0) if isinstance(place, torch.device) and place.type == "cuda" else str(place)


def size_in_bytes(value: str | float, *, least: int = 1) -> int:
    """Bytes of 10_000, "10GB" (10^9) or "10GiB" (2^30). Of a number that was computed, whole bytes count.

    Raises:
        PlacementError: no such size, or one below `least`.
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    found: float = -1
    if match is not None:
        base = 1024 if match[3] else 1000
        found = float(match[1]) * base ** " KMGT".index(match[2].upper() or " ")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = value
    if not least <= found < math.inf:
        raise PlacementError(f"{value!r} is no size; write a number of bytes, or as in '10GB' or '10GiB'")
    return int(found)


def place(
    model: nn.Module,
    device_map: DeviceMap,
    sizes: Mapping[str, int],
    max_memory: Mapping[Any, str | float] | None = None,
    tied: Mapping[str, str] | None = None,
) -> Placement:
    """Say where every tensor of a model goes.

    Args:
        model: on the meta device.
        device_map: None or a device for all; one of `WAYS` to fill the GPUs, then the CPU, then the disk; or paths of
            modules to devices, "disk" being one.
        sizes: bytes of each tensor as it will be, by name.
        max_memory: device ("cpu", 0, "cuda:1", "disk") to the memory it may take, for `WAYS`.
        tied: tensor to the one it is.

    Raises:
        PlacementError: it does not fit, a path is of no module, or a device does not exist.
    """
    if max_memory is not None and device_map not in WAYS:
        raise PlacementError(f"max_memory is for device_map={' or '.join(map(repr, WAYS))}, not for {device_map!r}")
    if device_map is None:
        return Placement({"": CPU}, CPU)
    if isinstance(device_map, Mapping):
        if not device_map:
            raise PlacementError("device_map is empty: give '' a device for everything")
        places = {path: existing(device) for path, device in device_map.items()}
        _check(model, places, sizes, tied or {})
        placement = _with_main(model, places)
        refuse_to_part(model, placement)
        return placement
    for way in WAYS:
        if device_map == way:
            filled = fill(parts_of(model, sizes, tied), _room(max_memory), way)
            found = {path: where for part, where in filled.placed for path in part.paths}
            return Placement(found if len(set(found.values())) > 1 else {"": filled.placed[0][1]}, filled.main)
    return _with_main(model, {"": existing(device_map)})


def named_place(value: Device) -> Place:
    """A device, or the disk, by its name or a GPU's number; whether it is there is not looked at.

    Raises:
        PlacementError: nothing is called so.
    """
    if value == DISK:
        return DISK
    try:
        device = torch.device(*_of_number(value)) if isinstance(value, int) else torch.device(value)
    except (RuntimeError, TypeError) as error:
        raise PlacementError(
            f"{value!r} is no device; write 'cpu', 'cuda', 'cuda:0', 0 or 'disk'; a device_map may also be "
            f"{', '.join(map(repr, WAYS))}"
        ) from error
    if device.type == "meta":
        raise PlacementError("device 'meta' keeps no values; to have a model without them, use from_config under it")
    return numbered(device)  # there is one CPU, whatever number it is given


def _of_number(number: int) -> tuple[str, int]:
    """The accelerator of that number here; of machines that have none, and of plans for others, CUDA's."""
    kind = accelerator()
    return "cuda" if kind is None else kind.type, number


def existing(value: Device) -> Place:
    """The same, of this machine.

    Raises:
        PlacementError: nothing is called so, or it is not here.
    """
    place = named_place(value)
    if place in (DISK, CPU):
        return place
    here = [one for one in accelerators() if one.type == place.type]
    if place in here:
        return place
    if here or place.type == "cuda":
        raise PlacementError(
            f"device {place} does not exist: PyTorch sees {len(here)} {place.type.replace('cuda', 'CUDA')} devices"
        )
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # each of its ways to say so
        raise PlacementError(f"device {place} does not exist here: {' '.join(str(error).split())[:200]}") from error
    return place


def room_of(max_memory: Mapping[Place, str | float]) -> dict[Place, int | None]:
    """Bytes by place, GPUs first, then the CPU, and last the disk, which has any number where nobody says.

    A device that may take 0 is left out.
    """
    sized: dict[Place, int | None] = {place: _limit(place, size) for place, size in max_memory.items()}
    limit = sized.pop(DISK, None)
    sized = {place: size for place, size in sized.items() if size}
    if not sized:
        raise PlacementError("max_memory names no device that computes; name the CPU or a GPU too")
    return {**dict(sorted(sized.items(), key=lambda item: _rank(item[0]))), DISK: limit}


def _limit(place: Place, size: str | float) -> int:
    try:
        return size_in_bytes(size, least=0)
    except PlacementError as error:
        raise PlacementError(f"the memory of {place}: {error}") from None


def room_here() -> dict[Place, int | None]:
    """What this machine has: what is free of GPUs, and of the CPU what this process may take, and the disk.

    Apple's GPU shares the CPU's memory: what the one is given the other has not.
    """
    here = accelerators()
    found: dict[Place, int | None] = {one: _most_of(free_bytes(one)) for one in here}
    left, shared = memory_left(), sum(found[one] or 0 for one in here if shares_memory(one))
    return {**found, CPU: _most_of(None if left is None else max(left - shared, 0)), DISK: None}


def _most_of(size: int | None) -> int | None:
    return None if size is None else int(size * (1 - LEFT_FREE))


def _room(max_memory: Mapping[Any, str | float] | None) -> dict[Place, int | None]:
    if max_memory is None:
        return room_here()
    if not isinstance(max_memory, Mapping) or not max_memory:
        raise PlacementError(f"max_memory is {max_memory!r}; give memory by device, as in {{0: '10GB', 'cpu': '30GB'}}")
    sized = {existing(device): size for device, size in max_memory.items()}
    if len(sized) < len(max_memory):
        raise PlacementError(f"max_memory names a device twice: {', '.join(map(repr, max_memory))}")
    return room_of(sized)


def _rank(place: Place) -> tuple[bool, int]:
    return (True, 0) if place in (CPU, DISK) else (False, getattr(place, "index", None) or 0)


def _with_main(model: nn.Module, places: dict[str, Place]) -> Placement:
    """Choose what computes the disk's parts; what belongs to no layer is kept there."""
    devices = sorted((place for place in places.values() if isinstance(place, torch.device)), key=_rank)
    fastest = next(iter(accelerators()), CPU)
    placement = Placement(places, devices[0] if devices else fastest)
    loose = {path for path, divided in blocks(model) if divided and placement.place_of(path) == DISK}
    return Placement({**places, **dict.fromkeys(sorted(loose), placement.main)}, placement.main)


def _check(model: nn.Module, places: Mapping[str, Place], sizes: Collection[str], tied: Mapping[str, str]) -> None:
    known = {path for path, _ in model.named_modules()} | set(sizes)
    strange = sorted(str(path) for path in places if path not in known)
    if strange:
        close = [near for path in strange for near in get_close_matches(path, sorted(known), 1)]
        meant = f"; it has {', '.join(close)}" if close else ""
        raise PlacementError(
            f"device_map names {', '.join(strange)}, which {type(model).__name__} does not have{meant}"
        )
    if "" not in places:
        ends = tuple(f"{path}." for path in places)
        left = sorted(name for name in sizes if name not in places and not name.startswith(ends))
        if left:
            raise PlacementError(
                f"device_map says nothing of {', '.join(left[:5])}{' and others' if len(left) > 5 else ''}; "
                "add their modules, or '' for all that is not named"
            )
    placement = Placement(places, CPU)
    for name, source in tied.items():
        one, other = placement.place_of(name), placement.place_of(source)
        if name in sizes and source in sizes and one != other:
            raise PlacementError(
                f"device_map sends {name} to {one} and {source} to {other}, and they are one tensor: "
                "give them one place"
            )


def refuse_to_part(model: nn.Module, placement: Placement) -> None:
    """Refuse that a module's own tensors lie apart: they meet in its forward, and nobody brings them together.

    Raises:
        PlacementError: some do; names two of them.
    """
    first: dict[str, str] = {}
    for path, own in blocks(model):
        above = path.rpartition(".")[0]
        other = first.setdefault(above, path) if own else path
        one, two = placement.computing_device(other), placement.computing_device(path)
        if one != two:
            raise PlacementError(
                f"device_map sends {other} to {one} and {path} to {two}, and {above or type(model).__name__} computes "
                "with both: give them one place"
            )
