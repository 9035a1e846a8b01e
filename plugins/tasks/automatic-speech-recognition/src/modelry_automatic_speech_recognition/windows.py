"""A long sound in windows that overlap, without ever having the whole in memory.

N samples
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Window(NamedTuple):
    """A part of a sound, and how many of its samples at either end are another window's."""

    samples: Samples
    left: int
    right: int


def windows(blocks: Iterable[Samples], *, size: int, left: int, right: int) -> Iterator[Window]:
    """Cut a sound into windows of `size` samples, each of which goes on where the one before ends, less the overlaps.

    Args:
        blocks: (N,) each, one behind the other.
        left: samples at the beginning of each window that belong to the one before; the first has none.
        right: samples at the end that belong to the next; the last has none.
    """
    held = np.zeros(0, dtype=np.float32)
    step, first = size - left - right, True
    for block in blocks:
        held = np.concatenate((held, block))
        while len(held) > size:
            yield Window(held[:size], 0 if first else left, right)
            held, first = held[step:], False
    if first or len(held) > left:
        yield Window(held, 0 if first else left, 0)
