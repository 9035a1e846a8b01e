"""Layers that hold a part of their weights, and tell the other processes what is needed of the rest.

A layer's class is replaced by one that descends from it, so that names, parameters and saved files stay as they are and
the model's own code runs on. Parameters are DTensors; what the code reads as `self.weight` while a forward pass runs is
this process's part.

B batch   T positions   I input width   O output width   V vocabulary
"""

import functools
import threading
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.tensor import DTensor, Replicate

from modelry.nn.linear import linear
from modelry.parallel.collectives import add_up, draw_alike, enter, gather, own_part


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
    pieces: int = 1
    """Layers that lie in this one, one behind the other."""

    def __deepcopy__(self, memo: object) -> "Share":
        return self  # the processes stay the same ones

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


Inner = Callable[..., Any]
"""The forward that a layer's own class has."""
Way = Callable[..., Any]
"""(share, layer, its own forward, inputs) to outputs."""


class _Passes(threading.local):
    """Of this thread."""

    running = 0
    """Forward passes of divided layers that it is in."""
    entered: tuple[Tensor, ProcessGroup, Tensor] | None = None
    """The last input of a layer whose outputs are divided, and what it became: layers that share one share this too,
    so that its gradients are added up once."""


_passes = _Passes()


def _entered(x: Tensor, group: ProcessGroup) -> Tensor:
    last = _passes.entered
    if last is not None and last[0] is x and last[1] is group:
        return last[2]
    out = enter(x, group)
    if out is not x and not torch.compiler.is_compiling():
        _passes.entered = x, group, out
    return out


def as_it_is(share: Share, layer: nn.Module, inner: Inner, *inputs: Any, **named: Any) -> Any:
    """Each process has all of the layer, or goes on with what it has."""
    return inner(layer, *inputs, **named)


def colwise(share: Share, layer: nn.Module, inner: Inner, x: Tensor) -> Tensor:
    """(B, T, I) to this process's outputs, (B, T, O / processes)."""
    own: Tensor = inner(layer, _entered(x, share.group))
    return own


def colwise_gather_output(share: Share, layer: nn.Module, inner: Inner, x: Tensor) -> Tensor:
    """(B, T, I) to all outputs, (B, T, O)."""
    return gather(colwise(share, layer, inner, x), share.group)


def packed(share: Share, layer: Any, inner: Inner, x: Tensor) -> Tensor:
    """(B, T, I) to this process's outputs of each of several layers that lie in one, (B, T, O / processes).

    The weight is divided along its inputs, not its outputs, of which a process has several stretches: so it stays one
    block, at the price of exchanging all outputs.
    """
    own = linear(own_part(x, share.group), layer.weight, None)
    out = enter(add_up(own, share.group), share.group)
    out = out if layer.bias is None else out + layer.bias
    pieces = out.unflatten(-1, (share.pieces, share.group.size(), -1))
    of_each: Tensor = pieces.select(-2, share.group.rank())
    return of_each.flatten(-2)


def rowwise(share: Share, layer: Any, inner: Inner, x: Tensor) -> Tensor:
    """This process's inputs, (B, T, I / processes), to (B, T, O). The bias is added once."""
    out = add_up(linear(x, layer.weight, None), share.group)
    return out if layer.bias is None else out + layer.bias


def embedding_rowwise(share: Share, layer: Any, inner: Inner, input_ids: Tensor) -> Tensor:
    """Ids (B, T) of the whole vocabulary, of which a process has V / processes rows."""
    count = layer.weight.shape[0]
    own = input_ids - share.group.rank() * count
    elsewhere = (own < 0) | (own >= count)
    found: Tensor = inner(layer, own.masked_fill(elsewhere, 0))
    return add_up(found.masked_fill(elsewhere[..., None], 0), share.group)


def summed(share: Share, layer: nn.Module, inner: Inner, *inputs: Tensor) -> Tensor:
    """Several products whose results are parts of sums; what comes in is whole."""
    own: Tensor = inner(layer, *(enter(one, share.group) for one in inputs))
    return add_up(own, share.group)


WAYS: Mapping[str, Way] = {
    "": as_it_is,
    "colwise": colwise,
    "packed_colwise": packed,
    "qkv_colwise": packed,
    "colwise_gather_output": colwise_gather_output,
    "rowwise": rowwise,
    "embedding_rowwise": embedding_rowwise,
    "embedding_colwise": as_it_is,
    "moe_tp_experts": summed,
    "replicated": as_it_is,
    "replicated_with_grad_allreduce": as_it_is,
}
"""A plan's word, or none, to how a layer works."""


_made: dict[tuple[type, Way, tuple[str, ...]], type] = {}


def divide(layer: nn.Module, word: str, share: Share) -> None:
    """Have a layer read its parameters through `share`, and work as a plan's word says."""
    names = tuple(name for name, parameter in layer._parameters.items() if parameter is not None)
    key = type(layer), WAYS[word], names
    if key not in _made:
        _made[key] = _class(*key)
    layer.__class__ = _made[key]
    layer.__dict__["tp_share"] = share
    layer.__dict__.pop("joint", None)  # its weights may have lain with others'
    if word == "embedding_rowwise":
        _own_padding(layer, share.group)


def _class(kind: type, way: Way, names: tuple[str, ...]) -> type:
    inner = kind.forward  # type: ignore[attr-defined]  # of a module's class

    @functools.wraps(inner)
    def forward(self: Any, *inputs: Any, **named: Any) -> Any:
        _passes.running += 1
        try:
            return way(self.tp_share, self, inner, *inputs, **named)
        finally:
            _passes.running -= 1
            if not _passes.running:
                _passes.entered = None  # it would keep the graph

    def fill(space: dict[str, Any]) -> None:
        space.update({name: _reading(name) for name in names})
        space.update({"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__})
        space["forward"] = forward
        if hasattr(kind, "generate"):
            space["generate"] = _writing_one_text(kind.generate)
        if hasattr(kind, "config_class"):
            space["config_class"] = kind.config_class  # a head would take that of its base model again

    return types.new_class(kind.__name__, (kind,), exec_body=fill)


def _writing_one_text(generate: Inner) -> Inner:
    """Processes that drew different tokens would go on with different texts: each has a part of one model only."""

    @functools.wraps(generate)
    def alike(self: Any, *inputs: Any, **named: Any) -> Any:
        draw_alike(self.tp_share.group, self.device, named.get("generator"))
        return generate(self, *inputs, **named)

    return alike


def _reading(name: str) -> property:
    def read(layer: Any) -> Any:
        parameter = layer._parameters.get(name)
        if parameter is None:  # another model of this class, which is being made
            raise AttributeError(name)
        return layer.tp_share.read(name, parameter) if _passes.running else parameter

    return property(read)


def _own_padding(layer: nn.Module, group: ProcessGroup) -> None:
    """The padding row, of which there is no gradient, is one process's."""
    padding, weight = layer.__dict__.get("padding_idx"), layer._parameters["weight"]
    if padding is not None and weight is not None:
        count = weight.shape[0] // group.size()
        own = padding - group.rank() * count
        layer.__dict__["padding_idx"] = own if 0 <= own < count else None
