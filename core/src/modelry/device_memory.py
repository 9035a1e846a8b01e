"""How much memory a device has."""

import os
from functools import cache
from pathlib import Path

import torch

_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""What Linux lets a container have."""


@cache
def memory_of(device: torch.device) -> int | None:
    """Bytes that a device has in all; None where nobody says."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type != "cpu" or not hasattr(os, "sysconf"):
        return None
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _LIMIT.read_text().strip() if _LIMIT.is_file() else ""
    return min(has, int(limit)) if limit.isdecimal() else has
