"""How one tensor is divided over the processes of a group, and what of it is whose."""

from dataclasses import dataclass

from torch import Tensor
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.placement_types import Placement, _StridedShard


@dataclass(frozen=True)
class Part:
    """The way of one tensor.

    Args:
        dim: along which it is divided; None: whole in each process.
        pieces: so many lie one behind the other along `dim`, and each is divided by itself.
    """

    dim: int | None = None
    pieces: int = 1

    @property
    def placement(self) -> Placement:
        """The same as DTensor says it."""
        if self.dim is None:
            return Replicate()
        return Shard(self.dim) if self.pieces == 1 else _StridedShard(self.dim, split_factor=self.pieces)

    def spans(self, length: int, *, rank: int, size: int) -> list[tuple[int, int]]:
        """(first, count) of what is one process's along `dim`.

        Args:
            length: of the whole along `dim`; a multiple of size times pieces.
        """
        piece = length // self.pieces
        return [(number * piece + rank * (piece // size), piece // size) for number in range(self.pieces)]

    def own(self, whole: Tensor, *, rank: int, size: int) -> list[Tensor]:
        """Views of what is one process's, to be laid one behind the other along `dim`."""
        if self.dim is None:
            return [whole]
        spans = self.spans(whole.shape[self.dim], rank=rank, size=size)
        return [whole.narrow(self.dim, first, count) for first, count in spans]


def part_of(placement: Placement) -> Part:
    """The way that a DTensor's placement says."""
    if isinstance(placement, _StridedShard):
        return Part(placement.dim, int(placement.split_factor))
    return Part(placement.dim) if isinstance(placement, Shard) else Part()
