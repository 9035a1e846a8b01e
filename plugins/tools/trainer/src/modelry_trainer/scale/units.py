"""What each process has of a model's parameters: after tensor parallelism, and after FSDP has divided the rest.

S processes that share one copy of the weights   T processes that share each layer's work
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from torch import nn

from modelry.gradient_checkpointing import layers_of
from modelry_trainer.distributed.dealing import dealt_dimension

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


@dataclass(frozen=True)
class Unit:
    """Parameters that FSDP gathers together: those of a layer, or those outside all layers."""

    shapes: tuple[tuple[int, ...], ...]
    """As each of T processes has them."""
    divided: tuple[int | None, ...]
    """Along which dimension T processes divide each."""

    @property
    def numbers(self) -> int:
        """How many parameters these are."""
        return sum(map(prod, self.shapes))

    def shard(self, shards: int) -> int:
        """How many of them the first of S processes keeps: they are dealt out in equal parts, the last may be less."""
        found = 0
        for shape, divided in zip(self.shapes, self.divided, strict=True):
            dim = dealt_dimension(shape, shards, divided=() if divided is None else (divided,))
            found += prod(-(-size // shards) if number == dim else size for number, size in enumerate(shape))
        return found


@dataclass(frozen=True)
class Units:
    """A whole model."""

    layers: tuple[Unit, ...]
    rest: Unit

    @property
    def all(self) -> tuple[Unit, ...]:
        """In the model's order, the rest last."""
        return (*self.layers, self.rest)

    @property
    def numbers(self) -> int:
        """Parameters of each of T processes."""
        return sum(unit.numbers for unit in self.all)


def units_of(model: "PreTrainedModel", tensor: int = 1) -> Units:
    """Units of a model that stands on the meta device, and is not changed.

    Args:
        tensor: T.

    Raises:
        ParallelError: the family has no plan, or T does not divide its heads or widths.
    """
    dims = _divided_dimensions(model, tensor)
    layers = list(layers_of(model))
    taken: set[int] = set()

    def unit(parameters: Iterable[nn.Parameter]) -> Unit:
        own = [one for one in parameters if id(one) not in taken]
        taken.update(map(id, own))
        divided = tuple(dims.get(id(one)) for one in own)
        shapes = (
            tuple(size // tensor if number == dim else size for number, size in enumerate(one.shape))
            for one, dim in zip(own, divided, strict=True)
        )
        return Unit(tuple(shapes), divided)

    found = tuple(unit(layer.parameters()) for layer in layers)
    return Units(found, unit(model.parameters()))


def _divided_dimensions(model: "PreTrainedModel", tensor: int) -> dict[int, int]:
    """Id of each parameter that T processes divide, to the dimension along which they do."""
    if tensor == 1:
        return {}
    from modelry.errors import ParallelError
    from modelry.parallel.deciding import decide
    from modelry.parallel.plan import named_by, plan_of

    plan = plan_of(model)
    if not plan:
        raise ParallelError(f"{type(model).__name__} has no tensor-parallel plan: its layers are whole in each process")
    parameters = dict(model.named_parameters(remove_duplicate=False))
    names = [*(path for path, _ in model.named_modules()), *parameters]
    decided = decide(model, named_by(plan, names, model=type(model).__name__, strict=False), tensor)
    parts = {id(parameter): decided.parts.get(id(parameter)) for parameter in parameters.values()}
    return {number: part.dim for number, part in parts.items() if part is not None and part.dim is not None}
