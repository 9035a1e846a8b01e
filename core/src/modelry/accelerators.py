"""This machine's accelerators, of whatever make: CUDA's and ROCm's ("cuda"), Intel's ("xpu"), Apple's ("mps"), others.

PyTorch's door to all of them is `torch.accelerator`; what it leaves to each kind is asked of that kind's own module.
"""

from types import ModuleType
from typing import Any

import torch

CPU = torch.device("cpu")
HOSTS = ("cpu", "meta")
"""Devices that are no accelerator."""


def accelerator() -> torch.device | None:
    """The kind that works here, without a number; None where there is none."""
    return torch.accelerator.current_accelerator(check_available=True)


def accelerators() -> list[torch.device]:
    """All of that kind."""
    kind = accelerator()
    return [] if kind is None else [torch.device(kind.type, index) for index in range(torch.accelerator.device_count())]


def best_device() -> torch.device:
    """The accelerator that is there, without a number, else the CPU."""
    return accelerator() or CPU


def shares_memory(device: torch.device) -> bool:
    """Whether its memory is the CPU's: Apple's GPU has none of its own."""
    return device.type == "mps"


def numbered(device: torch.device) -> torch.device:
    """The same device as tensors name it: an accelerator has a number, the CPU has none."""
    if device.type in HOSTS:
        return torch.device(device.type)
    return torch.device(device.type, 0) if device.index is None else device


def has_float64(device: torch.device) -> bool:
    """Whether it computes in float64: Apple's does not."""
    return device.type != "mps"


def total_bytes(device: torch.device) -> int | None:
    """Memory of an accelerator in all; None where nobody says."""
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory())
    properties = getattr(_module(device), "get_device_properties", None)
    return None if properties is None else int(properties(device).total_memory)


def free_bytes(device: torch.device) -> int | None:
    """Memory of an accelerator that nobody has taken; None where nobody says."""
    if device.type == "mps":
        return max(int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()), 0)
    asked = getattr(_module(device), "mem_get_info", None)
    return None if asked is None else int(asked(device)[0])


def peak_bytes(device: torch.device) -> int | None:
    """The most that tensors of this process have taken of an accelerator; None where nobody says."""
    if device.type == "mps":  # which keeps no record: what is taken now
        return int(torch.mps.driver_allocated_memory())
    asked = getattr(_module(device), "max_memory_allocated", None)
    return None if asked is None else int(asked(device))


def release(device: torch.device) -> None:
    """Give back what PyTorch keeps of an accelerator's memory and no tensor uses."""
    empty = getattr(_module(device), "empty_cache", None)
    if empty is not None:
        empty()


def streams_of(device: torch.device) -> Any | None:
    """The module whose Stream, stream and current_stream are this device's; None where nothing is copied beside work:
    there are no streams, or the memory is the CPU's own, which cannot be pinned for it either."""
    module = None if device.type in HOSTS or shares_memory(device) else _module(device)
    return module if hasattr(module, "Stream") and hasattr(module, "current_stream") else None


def _module(device: torch.device) -> ModuleType:
    module: ModuleType = torch.get_device_module(device.type)
    return module
