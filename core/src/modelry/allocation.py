"""Memory of intermediate results, on the CPU."""

from functools import cache

import torch

_JUST_UNDER_THE_MOST = (32 << 20) - (1 << 16)


@cache
def keep_freed_memory() -> None:
    """Have the C library keep the memory of freed intermediate results for the next ones; done once a process.

    The GNU C library returns large blocks to the system when they are freed, and trims its heap to twice the largest
    of them: every layer then has its pages zeroed and mapped anew, a fifth of the time of a prompt of 512 tokens. Its
    thresholds grow by themselves up to 32 MiB, with the largest block it has seen freed (M_MMAP_THRESHOLD in
    mallopt(3)). Allocating and freeing one of that size, without touching it, makes them grow at once. At most 64 MiB
    of freed memory then stay with the process. Other C libraries do not care.
    """
    torch.empty(_JUST_UNDER_THE_MOST, dtype=torch.uint8, device="cpu")
