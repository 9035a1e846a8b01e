"""How one tensor is divided over the processes of a group, and what of it is whose."""

from dataclasses import dataclass

from torch import Tensor
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.placement_types import Placement


@dataclass(frozen=True)
class Part:
    """The way of one tensor. What a process has is always one block: whatever puts DTensors together can do it.

    Args:
        dim: along which it is divided, evenly; None: whole in each process.
    """

    dim: int | None = None

    @property
    def placement(self) -> Placement:
        """The same as DTensor says it."""
        return Replicate() if self.dim is None else Shard(self.dim)

    def own(self, whole: Tensor, *, rank: int, size: int) -> Tensor:
        """A view of what is one process's."""
        if self.dim is None:
            return whole
        length = whole.shape[self.dim] // size
        return whole.narrow(self.dim, rank * length, length)


def part_of(placement: Placement) -> Part:
    """The way that a DTensor's placement says."""
    return Part(placement.dim) if isinstance(placement, Shard) else Part()
