"""Which part of a model goes to which device, and moving activations to where the next part is.

Whole layers are placed, never parts of one. What does not fit into the devices' memory is refused.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelry.errors import PlacementError

Device = str | int | torch.device
DeviceMap = str | int | torch.device | Mapping[str, Device] | None
Placement = dict[str, torch.device]
"""Path of a module or tensor to its device; "" is the whole model. The longest path that fits decides."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B\s*", re.IGNORECASE)

LEFT_FREE = 0.1
"""Share of a GPU's free memory that stays free for activations and the cache."""


def size_in_bytes(value: str | int) -> int:
    """Bytes of 10_000, "10GB" (10^9) or "10GiB" (2^30).

    Raises:
        PlacementError: no such size.
    """
    if isinstance(value, int) and value > 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise PlacementError(f"{value!r} is no size; write a number of bytes, or as in '10GB' or '10GiB'")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))


def place(
    model: nn.Module, device_map: DeviceMap, sizes: Mapping[str, int], max_memory: Mapping[Any, str | int] | None = None
) -> Placement:
    """Say where every tensor of a model goes.

    Args:
        model: on the meta device.
        device_map: None or a device for all; "auto" to fill the GPUs, then the CPU; or paths of modules to devices.
        sizes: bytes of each tensor as it will be, by name.
        max_memory: device ("cpu", 0, "cuda:1") to the memory it may take, for "auto".

    Raises:
        PlacementError: it does not fit, a path is of no module, or a device does not exist.
    """
    if device_map is None:
        return {"": torch.device("cpu")}
    if isinstance(device_map, Mapping):
        return _checked(model, {path: _device(device) for path, device in device_map.items()}, sizes)
    if device_map == "auto":
        return fill(list(blocks(model, sizes)), _capacities(max_memory))
    return {"": _device(device_map)}


def device_of(name: str, placement: Placement) -> torch.device:
    """Where a tensor or module goes: by the longest path in the placement that leads to it, else first."""
    path = name
    while path and path not in placement:
        path = path.rpartition(".")[0]
    return placement[path] if path in placement else next(iter(placement.values()))


def blocks(model: nn.Module, sizes: Mapping[str, int], path: str = "") -> Iterator[tuple[str, int]]:
    """Yield (path, bytes) of the parts that stay together, in the model's order: each layer of a list, else whole."""
    prefix = f"{path}." if path else ""
    for name, _ in (*model.named_parameters(recurse=False), *model.named_buffers(recurse=False)):
        yield prefix + name, sizes.get(prefix + name, 0)
    for name, child in model.named_children():
        full = prefix + name
        listed = isinstance(model, nn.ModuleList)
        if not listed and any(isinstance(inner, nn.ModuleList) for inner in child.modules()):
            yield from blocks(child, sizes, full)
        else:
            yield full, sum(size for tensor, size in sizes.items() if tensor.startswith(f"{full}."))


def fill(parts: Sequence[tuple[str, int]], capacities: Mapping[torch.device, int]) -> Placement:
    """Put parts in their order on devices in their order, each until it is full.

    Raises:
        PlacementError: the last device is full and parts are left.
    """
    placement: Placement = {}
    devices = list(capacities.items())
    here, free = devices[0]
    following = iter(devices[1:])
    for path, size in parts:
        while size > free:
            after = next(following, None)
            if after is None:
                room = ", ".join(f"{device} {capacity:,}" for device, capacity in devices)
                total = sum(size for _, size in parts)
                raise PlacementError(
                    f"the model has {total:,} bytes, and {path} finds no room on the devices ({room} bytes). "
                    "Load it in a smaller dtype, quantized, or with more max_memory"
                )
            here, free = after
        placement[path] = here
        free -= size
    if len(set(placement.values())) == 1:
        return {"": here}
    return placement


def _checked(model: nn.Module, placement: Placement, sizes: Mapping[str, int]) -> Placement:
    known = {path for path, _ in model.named_modules()} | set(sizes)
    strange = sorted(path for path in placement if path not in known)
    if strange:
        raise PlacementError(f"device_map names {', '.join(strange)}, which {type(model).__name__} does not have")
    if "" not in placement:
        ends = tuple(f"{path}." for path in placement)
        left = sorted(name for name in sizes if name not in placement and not name.startswith(ends))
        if left:
            raise PlacementError(
                f"device_map says nothing of {', '.join(left[:5])}{' and others' if len(left) > 5 else ''}; "
                "add their modules, or '' for all that is not named"
            )
    return placement


def _device(value: Device) -> torch.device:
    if value == "disk":
        raise PlacementError("device_map sends parts to disk, which cannot be done yet; use the CPU for them")
    try:
        device = torch.device(f"cuda:{value}" if isinstance(value, int) else value)
    except (RuntimeError, TypeError) as error:
        raise PlacementError(f"{value!r} is no device; write 'auto', 'cpu', 'cuda', 'cuda:0' or 0") from error
    if device.type == "meta":
        raise PlacementError("device 'meta' keeps no values; to have a model without them, use from_config under it")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise PlacementError(f"device {device} does not exist: PyTorch sees {torch.cuda.device_count()} CUDA devices")
    return device


def _capacities(max_memory: Mapping[Any, str | int] | None) -> dict[torch.device, int]:
    """Bytes to fill, the fastest device first. Mapped tensors on the CPU need no more than physical memory."""
    if max_memory is not None:
        if not isinstance(max_memory, Mapping) or not max_memory:
            raise PlacementError(
                f"max_memory is {max_memory!r}; give memory by device, as in {{0: '10GB', 'cpu': '30GB'}}"
            )
        given = {_device(device): size_in_bytes(size) for device, size in max_memory.items()}
        return dict(sorted(given.items(), key=lambda item: (item[0].type == "cpu", item[0].index or 0)))
    found = {
        torch.device("cuda", index): int(torch.cuda.mem_get_info(index)[0] * (1 - LEFT_FREE))
        for index in range(torch.cuda.device_count())
    }
    return {**found, torch.device("cpu"): os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}


def move_activations(model: nn.Module, placement: Placement) -> None:
    """Have every placed part bring its inputs to its own device, when the model lies on more than one."""
    if len(set(placement.values())) < 2:
        return
    for path, device in placement.items():
        part = model.get_submodule(path) if path in dict(model.named_modules()) else None
        if part is not None:
            part.register_forward_pre_hook(_Mover(device), with_kwargs=True)


class _Mover:
    """Brings a module's inputs to its device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, module: nn.Module, inputs: Any, named: Any) -> Any:
        return self._moved(inputs), self._moved(named)

    def _moved(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(self.device, non_blocking=True)
        if type(value) in (tuple, list):
            return type(value)(self._moved(inner) for inner in value)
        if isinstance(value, tuple):  # a named tuple
            return type(value)(*(self._moved(inner) for inner in value))
        if type(value) is dict:
            return {key: self._moved(inner) for key, inner in value.items()}
        to = getattr(value, "to", None)
        return to(self.device) if callable(to) and not isinstance(value, nn.Module) else value
