"""Bytes that one device needs in training, part by part.

P parameters of a process   S processes that share one copy of them   T processes that share each layer's work
n tokens   V vocabulary   c bytes of a number in products

    weights      4 P / S             float32, which the optimizer changes
    gradients    4 P / S
    optimizer    8 P / S             AdamW's two moments
    gathered     FSDP: c times two neighbouring layers and what is outside of layers, c times the latter's gradients,
                 and c + 4 times one layer's, before they are scattered in float32
                 else c P: autocast's copies in 16 bits
    activations  see `activations`; what one layer computes again comes on top, or
                 (c + 12) n V: scores, their logarithms and the two's gradients in float32. Only where T divides layers:
                 else the loss takes a few positions at a time
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from modelry_trainer.scale.activations import kept
from modelry_trainer.scale.units import Units

if TYPE_CHECKING:
    from modelry.configuration import ModelConfig
    from modelry_trainer.scale.ways import Way

FLOAT32 = 4
ADAMW = 2 * FLOAT32


@dataclass(frozen=True)
class Memory:
    """Bytes on one device, or (`elsewhere`) in the CPU's memory beside it."""

    weights: int
    gradients: int
    optimizer: int
    gathered: int
    activations: int | None
    """None where the model's kind is not known."""
    elsewhere: int = 0

    @property
    def states(self) -> int:
        """What stays between steps."""
        return self.weights + self.gradients + self.optimizer

    @property
    def device(self) -> int:
        """On the device."""
        return self.states + self.gathered + (self.activations or 0) - self.elsewhere


def memory(units: Units, config: "ModelConfig", way: "Way", *, scores: int = 0) -> Memory:
    """What a device needs.

    Args:
        units: for `way.tensor` processes.
        scores: V where the scores of all positions are there at once.
    """
    own = sum(unit.shard(way.shard) for unit in units.all)
    states = (FLOAT32 * own, FLOAT32 * own, ADAMW * own)
    if way.shard > 1:
        sizes = [unit.numbers for unit in units.layers]
        pairs = [one + other for one, other in pairwise(sizes)] or sizes
        layers = way.compute * max(pairs, default=0) + (way.compute + FLOAT32) * max(sizes, default=0)
        gathered = 2 * way.compute * units.rest.numbers + max(layers, FLOAT32 * units.rest.numbers)
    else:
        gathered = way.compute * units.numbers if way.compute < FLOAT32 else 0
    return Memory(*states, gathered, _activations(units, config, way, scores), sum(states) if way.offload else 0)


def _activations(units: Units, config: "ModelConfig", way: "Way", scores: int) -> int | None:
    of_token = kept(config, way)
    if of_token is None:
        return None
    count = len(units.layers)
    loss = (way.compute + 3 * FLOAT32) * scores
    layers = count * of_token.layer + loss
    if way.recompute:  # the loss is done with before a layer computes its own again
        layers = max(of_token.layer, loss) + count * of_token.entrance
    return way.tokens * (layers + of_token.outside)
