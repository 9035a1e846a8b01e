"""A batch whose rows differ in length falls apart: which rows attend together, to which keys, by which mask.

R rows   T new positions   W keys offered
A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from modelry.nn.masks import Mask

CALL = 256
"""What one more call of attention costs on a CPU, in positions of keys and values that could be read instead."""
CALL_ELSEWHERE = 16384
"""The same on an accelerator, which reads far faster and starts no faster."""
STEP = 64
"""Slots after which the division into spans is thought over."""


class Part(NamedTuple):
    """Attention of some rows and queries that needs some of the keys only: (first, count) of each."""

    rows: tuple[int, int]
    queries: tuple[int, int]
    keys: tuple[int, int]
    mask: "Mask"


class Stretch(NamedTuple):
    """Neighbouring rows whose real tokens are alike."""

    rows: tuple[int, int]
    """First, count."""
    start: int
    """Slot of the first real token."""
    end: int
    """Slot behind the last."""
    whole: bool
    """No padding in between."""


def stretches(real: Tensor) -> list[Stretch]:
    """Where the rows of a mask (R, S) begin and end. Waits for the device once."""
    slots = real.shape[1]
    marks = real.to(torch.uint8)
    ends = torch.stack((marks.argmax(1), slots - marks.flip(1).argmax(1), marks.sum(1, dtype=torch.long))).tolist()
    found, begin = [], 0
    for (start, end, count), run in groupby(zip(*ends, strict=True)):
        rows = len(list(run))
        found.append(Stretch((begin, rows), start, end if count else start, count == end - start))
        begin += rows
    return found


def spans(found: list[Stretch], *, end: int, call: int) -> Iterator[Stretch]:
    """Put neighbours together until attention to all slots from a span's first real one to `end` costs least."""
    rows, starts = tuple(one.rows[1] for one in found), tuple(one.start for one in found)
    for first, behind in _bounds(rows, starts, -(-end // STEP) * STEP, call):
        inside = found[first:behind]
        start = min(one.start for one in inside)
        yield Stretch(
            (inside[0].rows[0], sum(one.rows[1] for one in inside)),
            start,
            end,
            all(one.start == start and one.whole and one.end == end for one in inside),
        )


@lru_cache(maxsize=64)
def _bounds(rows: tuple[int, ...], starts: tuple[int, ...], end: int, call: int) -> list[tuple[int, int]]:
    """The cheapest division of a sequence, by dynamic programming: cost of the first n, and where their last begins."""
    best: list[tuple[int, int]] = [(0, 0)]
    for behind in range(1, len(rows) + 1):
        choices, count, start = [], 0, end
        for first in range(behind - 1, -1, -1):
            count, start = count + rows[first], min(start, starts[first])
            choices.append((best[first][0] + call + count * (end - start), first))
        best.append(min(choices))
    bounds, behind = [], len(rows)
    while behind:
        bounds.append((best[behind][1], behind))
        behind = best[behind][1]
    return bounds[::-1]


def texts_of(numbers: Tensor) -> Iterator[tuple[int, int, int]]:
    """(row, first slot, count) of each run of equal numbers above 0 in (R, S)."""
    for row, values in enumerate(numbers.tolist()):
        at = 0
        for number, run in groupby(values):
            count = len(list(run))
            if number > 0:
                yield row, at, count
            at += count
