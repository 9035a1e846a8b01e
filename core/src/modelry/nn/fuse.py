"""Laying together the weights of layers that share an input, as a preparation for inference.

A query, key and value projection then take one product, and so do gate and up: fewer, larger products, which is worth
most for one new position. It acts on the finished module from outside: names, parameters and saved files stay as they
are, because every weight becomes a view of the rows it had.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock

import torch
from torch import Tensor, nn

from modelry.nn.linear import Joint, Linear, calls_hooks_of_all, joined_bias
from modelry.packed.packed_linear import PackedLinear

GROUPS: tuple[tuple[str, ...], ...] = (
    ("q_proj", "k_proj", "v_proj"),
    ("query", "key", "value"),
    ("q", "k", "v"),
    ("gate_proj", "up_proj"),
)
"""Published names of layers that families apply together with `modelry.nn.linear.project`."""
_ONE_AT_A_TIME = Lock()
"""Two threads that begin to generate with one model would lay its weights in two places."""


def fuse_projections(model: nn.Module, *, groups: Sequence[tuple[str, ...]] = GROUPS) -> int:
    """Lay together, in every module that has all layers of a group, their weights.

    Layers that are not all plain float `Linear` on one device in one dtype, or all packed alike, are left alone, and so
    are those that are wrapped by an adapter, tied to another, offloaded, on the meta device, or that have hooks or a
    forward of their own.
    Training goes on to work: the product is taken apart again where gradients are wanted. One group is copied at a
    time, so memory peaks at one group above the model.

    Args:
        model: changed in place.
        groups: names of layers, in the order in which `project` is given them.

    Returns:
        The number of groups laid together, those that were so before included.
    """
    if any(getattr(part, "offloaded", None) is not None for part in model.modules()):
        return 0  # laid together, they would be in memory
    with _ONE_AT_A_TIME:
        return _fuse(model, groups)


def _fuse(model: nn.Module, groups: Sequence[tuple[str, ...]]) -> int:
    _drop_what_no_longer_holds(model)
    found = list(_found(model, groups))
    apart = [layers for layers in found if not _lie_together(layers)]
    uses: Counter[int] = Counter()
    for module in model.modules() if apart else ():
        uses.update(map(id, module._parameters.values()))
    fit = [layers for layers in apart if all(_is_plain(layer, layers[0], uses) for layer in layers)]
    tensors = [one for layers in fit for layer in layers for one in (*layer.parameters(), *layer.buffers())]
    made_for_inference = any(one.is_inference() for one in tensors)  # otherwise made ones are such as training can use
    with torch.inference_mode(made_for_inference), torch.no_grad():
        done = [_lay_together(layers) for layers in fit]
    return len(found) - len(apart) + sum(done)


def _drop_what_no_longer_holds(model: nn.Module) -> None:
    for module in model.modules():
        joint: Joint | None = module.__dict__.get("joint")
        if joint is not None and not joint.holds(joint.parts):
            del module.__dict__["joint"]


def _found(model: nn.Module, groups: Sequence[tuple[str, ...]]) -> Iterator[list[nn.Linear]]:
    """The layers of each group that is there whole, in layers that nobody has replaced."""
    for module in model.modules():
        for names in groups:
            parts = [module._modules.get(name) for name in names]
            if all(type(part) is Linear for part in parts) or all(isinstance(part, PackedLinear) for part in parts):
                yield [part for part in parts if isinstance(part, nn.Linear)]


def _lie_together(layers: list[nn.Linear]) -> bool:
    joint: Joint | None = getattr(layers[0], "joint", None)
    return joint is not None and joint.holds(tuple(layers))


def _is_plain(layer: nn.Linear, first: nn.Linear, uses: Counter[int]) -> bool:
    weight, other = layer.weight, first.weight
    if weight.is_meta or weight.device != other.device:
        return False
    if layer._forward_hooks or layer._forward_pre_hooks or "forward" in layer.__dict__ or calls_hooks_of_all():
        return False
    if isinstance(layer, PackedLinear):
        return True
    return (
        weight.is_floating_point()
        and type(weight.data) is Tensor  # not sharded over devices, nor packed
        and (weight.dtype, weight.shape[1]) == (other.dtype, other.shape[1])
        and uses[id(weight)] == 1
    )


def _lay_together(layers: list[nn.Linear]) -> bool:
    first = layers[0]
    if isinstance(first, PackedLinear):
        packed = [layer for layer in layers if isinstance(layer, PackedLinear)]
        whole: nn.Linear | None = first.joined(packed)
        if whole is None:
            return False
    else:
        whole = _joined(layers)
    views = tuple(
        (tensors, name, tensor, 0 if tensor is None else tensor.data_ptr())
        for layer in layers
        for tensors in (layer._parameters, layer._buffers)
        for name, tensor in tensors.items()
    )
    hooks = tuple(hooks for layer in layers for hooks in (layer._forward_hooks, layer._forward_pre_hooks))
    assert isinstance(first, Linear | PackedLinear)
    first.joint = Joint(tuple(layers), whole, tuple(map(type, layers)), views, hooks)
    return True


def _joined(layers: Sequence[nn.Linear]) -> Linear:
    """One layer with the outputs of all; each parameter becomes a view of its rows."""
    first = layers[0]
    outputs = [layer.out_features for layer in layers]
    whole = Linear(first.in_features, sum(outputs), bias=False, device="meta")
    joint = torch.cat([layer.weight.detach() for layer in layers])
    for layer, rows in zip(layers, torch.split_with_sizes(joint, outputs), strict=True):
        layer.weight.data = rows
    whole.weight = nn.Parameter(joint, requires_grad=False)
    whole._parameters["bias"] = joined_bias(layers)
    return whole
