"""How much memory a device has."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from modelry.accelerators import HOSTS, total_bytes

_GROUPS = Path("/proc/self/cgroup")
"""The groups of processes that Linux counts this one in: "number:kind:/path", kind empty in the newer version."""
_LIMITS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/statm")


@cache
def memory_of(device: torch.device) -> int | None:
    """Bytes that a device has in all, or that this process's group may take of the CPU's; None where nobody says."""
    if device.type not in HOSTS:
        return total_bytes(device)
    if device.type != "cpu" or not hasattr(os, "sysconf"):
        return None
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_allowed()])


def memory_left() -> int | None:
    """Bytes of the CPU's memory without those that this process holds and no file has; None where nobody says."""
    has = memory_of(torch.device("cpu"))
    if has is None or not _OWN.is_file():
        return has
    _, resident, of_files = map(int, _OWN.read_text().split()[:3])
    return max(has - (resident - of_files) * os.sysconf("SC_PAGE_SIZE"), 0)


def _allowed() -> Iterator[int]:
    """What the groups may take that this process is in: a container, a batch job, a service."""
    if not _GROUPS.is_file():
        return
    for line in _GROUPS.read_text().splitlines():
        _, kind, path = line.split(":", 2)
        if kind == "":
            root, name = _LIMITS, "memory.max"
        elif "memory" in kind.split(","):
            root, name = _LIMITS / "memory", "memory.limit_in_bytes"
        else:
            continue
        inner = root / path.lstrip("/")  # in a container the path may be that of outside; its own group is the root
        for group in (inner, *inner.parents):
            limit = (group / name).read_text().strip() if (group / name).is_file() else ""
            if limit.isdecimal():
                yield int(limit)
            if group == root:
                break
