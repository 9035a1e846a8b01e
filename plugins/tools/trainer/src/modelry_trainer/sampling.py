"""In which order rows are read: a pure function of seed, epoch and position, so any place is found again.

N rows   B rows of one process at a step   W processes
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, final

import torch

T = TypeVar("T")
GROUPS_AT_MOST = 50
"""Rows are sorted by length within so many batches, or within a fourth of the data set where that is less."""


@final
class EpochOrder:
    """The batches of every epoch, for one of W processes. It has no state: ask for an epoch from any position.

    The order of an epoch is that of a generator seeded with seed + epoch, as published trainers draw it. At each step
    the next W B rows are dealt out in turn, B to each process, so W processes read what one with batches of W B reads.
    The last rows, where they do not fill a step, are dealt out as evenly as can be; where they are fewer than W,
    the first rows of the epoch stand in, so that no process is left without work; `stands_in` says where.

    Args:
        length: N.
        seed: of the whole training.
        by_length: (N,) length of each row; rows of similar length then share a batch, and the longest of all comes
            first, so that memory that does not suffice shows at once.
        batch_size: B.
        world_size: W.
        rank: which of the processes this is.
        shuffle: False for the order of the data set.
        drop_last: leave out the last rows where they do not fill a step.
        filled: of the last rows, processes get B as far as they go, and not as many as others.

    Raises:
        ValueError: a number is impossible, or `by_length` has another length.
    """

    def __init__(
        self,
        length: int,
        *,
        seed: int,
        by_length: Sequence[int] | None = None,
        batch_size: int,
        world_size: int = 1,
        rank: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        filled: bool = False,
    ) -> None:
        if length < 1 or batch_size < 1 or world_size < 1 or not 0 <= rank < world_size:
            raise ValueError(
                f"no order of {length} rows in batches of {batch_size} for process {rank} of {world_size}: "
                "rows, batch size and processes are at least 1, and a process is counted from 0"
            )
        if by_length is not None and len(by_length) != length:
            raise ValueError(f"{len(by_length)} lengths were given for a data set of {length} rows")
        if drop_last and length < batch_size * world_size:
            raise ValueError(
                f"{length} rows do not fill one step of {world_size} x {batch_size} rows, and with drop_last "
                "what does not fill one is left out: nothing is left to train on"
            )
        self.length, self.seed, self.by_length = length, seed, by_length
        self.batch_size, self.world_size, self.rank = batch_size, world_size, rank
        self.shuffle, self.drop_last, self.filled = shuffle, drop_last, filled

    def __len__(self) -> int:
        """Batches of each process in an epoch."""
        step = self.batch_size * self.world_size
        return self.length // step if self.drop_last else -(-self.length // step)

    def rows(self, epoch: int) -> list[int]:
        """All N rows in the order of an epoch, whichever process reads them."""
        if not self.shuffle and self.by_length is None:
            return list(range(self.length))
        generator = torch.Generator().manual_seed(self.seed + epoch)
        if self.by_length is not None:
            return _grouped(self.by_length, self.batch_size * self.world_size, generator)
        drawn: list[int] = torch.randperm(self.length, generator=generator).tolist()
        return drawn

    def at(self, epoch: int, position: int = 0) -> "EpochBatches":
        """The batches of an epoch from the `position`-th on: what a DataLoader takes as its `batch_sampler`."""
        if not 0 <= position <= len(self):
            raise ValueError(f"position {position} is outside of an epoch of {len(self)} batches")
        return EpochBatches(self, epoch, position)

    def share(self, rows: Sequence[int], step: int) -> list[int]:
        """What this process reads at a step of the epoch whose rows these are."""
        every = self.batch_size * self.world_size
        taken, _ = dealt(rows[step * every : (step + 1) * every], rows, self)
        return taken

    def stands_in(self, step: int) -> bool:
        """Whether what this process reads at a step are rows that others read: it must not count."""
        every = self.batch_size * self.world_size
        left = min(self.length - step * every, every)
        _, counts = dealt(range(left), range(left), self)
        return not counts


def dealt(rows: Sequence[T], spare: Sequence[T], order: "Dealing") -> tuple[list[T], bool]:
    """Of the rows of one step what one process gets, and whether they count: not where they are `spare` ones."""
    size, world, rank = order.batch_size, order.world_size, order.rank
    if len(rows) == size * world or order.filled:
        taken = list(rows[rank * size : (rank + 1) * size])
    else:
        least, more = divmod(len(rows), world)
        begin = rank * least + min(rank, more)
        taken = list(rows[begin : begin + least + (rank < more)])
    return (taken, True) if taken else ([spare[(rank - len(rows)) % len(spare)]], False)


class Dealing(Protocol):
    """Who deals rows out to how many."""

    @property
    def batch_size(self) -> int:
        """Rows of each at a time."""

    @property
    def world_size(self) -> int:
        """To how many."""

    @property
    def rank(self) -> int:
        """Whose share is asked for."""

    @property
    def filled(self) -> bool:
        """Whether of the last rows each gets as many as ever as far as they go."""


@final
class EpochBatches:
    """The batches of one process in one epoch, from a position on; each iteration begins there again."""

    def __init__(self, order: EpochOrder, epoch: int, position: int) -> None:
        self.order, self.epoch, self.position = order, epoch, position

    def __len__(self) -> int:
        return len(self.order) - self.position

    def __iter__(self) -> Iterator[list[int]]:
        rows = self.order.rows(self.epoch)
        for step in range(self.position, len(self.order)):
            yield self.order.share(rows, step)


def _grouped(lengths: Sequence[int], step: int, generator: torch.Generator) -> list[int]:
    """Shuffled, then sorted by length, the longest first, within stretches of several steps."""
    drawn: list[int] = torch.randperm(len(lengths), generator=generator).tolist()
    size = step * max(1, min(len(lengths) // (4 * step), GROUPS_AT_MOST))
    stretches = [
        sorted(drawn[begin : begin + size], key=lengths.__getitem__, reverse=True)
        for begin in range(0, len(drawn), size)
    ]
    longest = max(stretches, key=lambda rows: lengths[rows[0]])
    stretches[0][0], longest[0] = longest[0], stretches[0][0]
    return [row for rows in stretches for row in rows]
