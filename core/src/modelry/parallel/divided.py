"""Layers that hold a part of their weights, and tell the other processes what is needed of the rest.

A layer's class is replaced by one that descends from it, so that names, parameters and saved files stay as they are and
the model's own code runs on: parameters are DTensors, and what the code reads as `self.weight` is this process's part.

B batch   T positions   I input width   O output width   V vocabulary
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.tensor import DTensor, Replicate

from modelry.nn.linear import linear
from modelry.parallel.collectives import add_up, enter, gather


@dataclass(frozen=True)
class Share:
    """What a layer knows of the others."""

    group: ProcessGroup
    whole: frozenset[str] = frozenset()
    """Parameters that another layer had divided, and that this one reads as a whole."""
    summed: frozenset[str] = frozenset()
    """Parameters that are whole, and whose gradients are added up: each process applies them to something else."""
    rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of those, the ones of which a process uses some rows: first, count."""

    def read(self, name: str, parameter: Any) -> Any:
        """What the layer's own code sees of a parameter."""
        if not isinstance(parameter, DTensor):
            return parameter
        if name in self.whole:
            return parameter.full_tensor(grad_placements=[Replicate()])
        local = parameter.to_local()
        if name in self.summed:
            local = enter(local, self.group)
        return local.narrow(0, *self.rows[name]) if name in self.rows else local


class Divided(nn.Module):
    """Reads its parameters through `tp_share`."""

    tp_share: Share


class Whole(Divided):
    """A layer of which each process has all."""


class Colwise(Divided):
    """Gives this process's outputs, (B, T, O / processes)."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(enter(x, self.tp_share.group))
        return out


class ColwiseGathered(Divided):
    """Gives all outputs, (B, T, O)."""

    def forward(self, x: Tensor) -> Tensor:
        own: Tensor = super().forward(enter(x, self.tp_share.group))
        return gather(own, self.tp_share.group)


class Rowwise(Divided):
    """Takes this process's inputs, (B, T, I / processes)."""

    weight: Tensor
    bias: Tensor | None

    def forward(self, x: Tensor) -> Tensor:
        out = add_up(linear(x, self.weight, None), self.tp_share.group)
        return out if self.bias is None else out + self.bias


class EmbeddingRows(Divided):
    """Looks up ids (B, T) of the whole vocabulary, of which it has V / processes rows."""

    weight: Tensor

    def forward(self, input_ids: Tensor) -> Tensor:
        count = self.weight.shape[0]
        own = input_ids - self.tp_share.group.rank() * count
        elsewhere = (own < 0) | (own >= count)
        found: Tensor = super().forward(own.masked_fill(elsewhere, 0))
        return add_up(found.masked_fill(elsewhere[..., None], 0), self.tp_share.group)


class Summed(Divided):
    """Several products whose results are parts of sums; numbers that come in are whole."""

    def forward(self, *inputs: Tensor) -> Tensor:
        own: Tensor = super().forward(*(enter(one, self.tp_share.group) for one in inputs))
        return add_up(own, self.tp_share.group)


CLASSES: Mapping[str, type[Divided]] = {
    "": Whole,
    "colwise": Colwise,
    "packed_colwise": Colwise,
    "qkv_colwise": Colwise,
    "colwise_gather_output": ColwiseGathered,
    "rowwise": Rowwise,
    "embedding_rowwise": EmbeddingRows,
    "embedding_colwise": Whole,
    "moe_tp_experts": Summed,
    "replicated_with_grad_allreduce": Whole,
}
"""A plan's word, or none, to what a layer becomes."""

_made: dict[tuple[type, type, tuple[str, ...]], type] = {}


def divide(module: nn.Module, word: str, share: Share) -> None:
    """Have a layer read its parameters through `share`, and work as a plan's word says."""
    names = tuple(name for name, parameter in module._parameters.items() if parameter is not None)
    kind, behaviour = type(module), CLASSES[word]
    if (kind, behaviour, names) not in _made:
        _made[kind, behaviour, names] = _class(kind, behaviour, names)
    module.__class__ = _made[kind, behaviour, names]
    module.__dict__["tp_share"] = share
    module.__dict__.pop("joint", None)  # its weights may have lain with others'
    if word == "embedding_rowwise":
        _own_padding(module, share.group)


def _class(kind: type, behaviour: type, names: tuple[str, ...]) -> type:
    def fill(space: dict[str, Any]) -> None:
        space.update({name: _reading(name) for name in names})
        space.update({"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__})
        if "config_class" in dir(kind):
            space["config_class"] = kind.config_class  # type: ignore[attr-defined]  # seen in the line above

    return types.new_class(kind.__name__, (behaviour, kind), exec_body=fill)


def _reading(name: str) -> property:
    def read(module: Divided) -> Any:
        return module.tp_share.read(name, module._parameters[name])

    return property(read)


def _own_padding(module: nn.Module, group: ProcessGroup) -> None:
    """The padding row, of which there is no gradient, is one process's."""
    padding = module.__dict__.get("padding_idx")
    weight = module._parameters["weight"]
    assert weight is not None
    count = weight.shape[0] // group.size()
    if padding is not None:
        own = padding - group.rank() * count
        module.__dict__["padding_idx"] = own if 0 <= own < count else None
