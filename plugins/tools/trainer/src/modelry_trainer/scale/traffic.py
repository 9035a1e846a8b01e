"""Bytes that one device sends in a step of one pass, and as many that it receives.

In rings, as NCCL and gloo pass large tensors around: gathering or scattering N bytes over S devices sends
N (S - 1) / S, summing them on all sends twice that.

n tokens   D width of the residual stream   L layers   V vocabulary   P parameters of a process   c bytes of a number

    FSDP    c P (S - 1) / S          layers gathered for the forward pass, and for the backward pass once more
            4 P (S - 1) / S          gradients, summed in float32 and scattered
    copies  8 P / S (R - 1) / R      gradients, summed over R copies (DDP: S is 1)
    TP      2 c n D (T - 1) / T      for each sum: two a layer forward, two backward, one where it is computed again
                                     (what comes last in them is not needed twice); two for a divided vocabulary, one of
                                     its embedding's results and one of its head's gradients
            c n V (T - 1) / T        scores from a divided head, gathered
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelry_trainer.scale.memory import FLOAT32
from modelry_trainer.scale.units import Units

if TYPE_CHECKING:
    from modelry_trainer.scale.ways import Way


@dataclass(frozen=True)
class Traffic:
    """Bytes sent in a step, by what for."""

    gather: int
    scatter: int
    copies: int
    tensor: int

    @property
    def whole(self) -> int:
        """All of them."""
        return self.gather + self.scatter + self.copies + self.tensor


def traffic(units: Units, *, width: int, vocabulary: int, way: "Way") -> Traffic:
    """What a device sends.

    Args:
        units: for `way.tensor` processes.
        width: D.
        vocabulary: V where the head's outputs are divided and gathered, else 0.
    """
    layers = sum(unit.numbers for unit in units.layers)
    shard, copies, tensor = (_part(count) for count in (way.shard, way.replicate, way.tensor))
    own = sum(unit.shard(way.shard) for unit in units.all)
    sums = len(units.layers) * (5 if way.recompute else 4) + (2 if vocabulary else 0)
    return Traffic(
        gather=round(way.compute * (2 * layers + units.rest.numbers) * shard),
        scatter=round(FLOAT32 * units.numbers * shard),
        copies=round(2 * FLOAT32 * own * copies),
        tensor=round((2 * sums * width + vocabulary) * way.compute * way.tokens * tensor),
    )


def _part(count: int) -> float:
    """Of a tensor, what a ring of so many devices sends."""
    return (count - 1) / count
