"""What each process has of a model's parameters: after tensor parallelism, and after FSDP has divided the rest.

S processes that share one copy of the weights   T processes that share each layer's work
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from torch import nn

from modelry.gradient_checkpointing import layers_of

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


@dataclass(frozen=True)
class Unit:
    """Parameters that FSDP gathers together: those of a layer, or those outside all layers."""

    shapes: tuple[tuple[int, ...], ...]
    """As each of T processes has them."""

    @property
    def numbers(self) -> int:
        """How many parameters these are."""
        return sum(map(prod, self.shapes))

    def shard(self, shards: int) -> int:
        """How many of them the first of S processes keeps: rows are dealt out in equal parts, the last may be less."""
        return sum(prod((-(-shape[0] // shards), *shape[1:])) if shape else 1 for shape in self.shapes)


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
    shapes = _divided_shapes(model, tensor)
    layers = list(layers_of(model))
    taken: set[int] = set()

    def unit(parameters: Iterable[nn.Parameter]) -> Unit:
        own = [one for one in parameters if id(one) not in taken]
        taken.update(map(id, own))
        return Unit(tuple(shapes.get(id(one), tuple(one.shape)) for one in own))

    found = tuple(unit(layer.parameters()) for layer in layers)
    return Units(found, unit(model.parameters()))


def _divided_shapes(model: "PreTrainedModel", tensor: int) -> dict[int, tuple[int, ...]]:
    """Id of each parameter that T processes divide, to the shape that one of them has."""
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
    shapes = {}
    for parameter in parameters.values():
        part = decided.parts.get(id(parameter))
        if part is not None and part.dim is not None:
            shape = list(parameter.shape)
            shape[part.dim] //= tensor
            shapes[id(parameter)] = tuple(shape)
    return shapes
