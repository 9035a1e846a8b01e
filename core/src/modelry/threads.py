"""How many threads PyTorch's operations on the CPU take."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def in_calling_thread() -> Iterator[None]:
    """Run operations in this thread alone: for long rows of small ones.

    Threads that meet after every few microseconds of work wait for each other: on two cores that are busy with other
    things, loading a packed model of 135 M parameters took 5 to 50 seconds instead of 2.6.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
