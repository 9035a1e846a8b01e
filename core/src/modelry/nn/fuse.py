"""Laying together the weights of layers that share an input, as a preparation for inference.

A query, key and value projection then take one product, and so do gate and up: fewer, larger products, which is worth
most for one new position. It acts on the finished module from outside: names, parameters and saved files stay as they
are, because every weight becomes a view of the rows it had.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from modelry.nn.linear import Joint, JointLinear, Linear

GROUPS: tuple[tuple[str, ...], ...] = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Published names of layers that families apply together with `modelry.nn.linear.project`."""


def fuse_projections(model: nn.Module, *, groups: Sequence[tuple[str, ...]] = GROUPS) -> int:
    """Lay together, in every module that has all layers of a group, their weights.

    Layers that are not plain float `Linear` on one device in one dtype (quantized, wrapped by an adapter, tied to
    another, offloaded, on the meta device) or that have hooks are left alone. Training goes on to work: the product is
    taken apart again where gradients are wanted. One group is copied at a time, so memory peaks at one group above
    the model.

    Args:
        model: changed in place.
        groups: names of layers, in the order in which `project` is given them.

    Returns:
        The number of groups laid together, those that were so before included.
    """
    found = list(_found(model, groups))
    apart = [layers for layers in found if not _lie_together(layers)]
    uses: Counter[int] = Counter()
    for module in model.modules() if apart else ():
        uses.update(map(id, module._parameters.values()))
    fit = [layers for layers in apart if all(_is_plain(layer, layers[0], uses) for layer in layers)]
    for layers in fit:
        _lay_together(layers)
    return len(found) - len(apart) + len(fit)


def _found(model: nn.Module, groups: Sequence[tuple[str, ...]]) -> Iterator[list[Linear]]:
    """The layers of each group that is there whole, in layers that nobody has replaced."""
    for module in model.modules():
        for names in groups:
            parts = [module._modules.get(name) for name in names]
            layers = [part for part in parts if isinstance(part, Linear) and type(part) in (Linear, JointLinear)]
            if len(layers) == len(names):
                yield layers


def _lie_together(layers: list[Linear]) -> bool:
    first = layers[0]
    return isinstance(first, JointLinear) and first.joint is not None and first.joint.holds(tuple(layers))


def _is_plain(layer: Linear, first: Linear, uses: Counter[int]) -> bool:
    weight, other = layer.weight, first.weight
    return (
        weight.is_floating_point()
        and type(weight.data) is Tensor  # not sharded over devices, nor packed
        and not weight.is_meta
        and (weight.dtype, weight.device, weight.shape[1]) == (other.dtype, other.device, other.shape[1])
        and (layer.bias is None) == (first.bias is None)
        and uses[id(weight)] == 1
        and not layer._forward_hooks
        and not layer._forward_pre_hooks
    )


def _lay_together(layers: list[Linear]) -> None:
    first = layers[0]
    weight = _joined([layer.weight for layer in layers])
    bias = None if first.bias is None else _joined([layer.bias for layer in layers])
    first.__class__ = JointLinear
    assert isinstance(first, JointLinear)
    first.joint = Joint(
        parts=tuple(layers),
        weight=weight,
        bias=bias,
        views=tuple(
            (layer._parameters, name, view, view.data_ptr())
            for layer in layers
            for name, view in layer.named_parameters(recurse=False)
        ),
        hooks=tuple(hooks for layer in layers for hooks in (layer._forward_hooks, layer._forward_pre_hooks)),
    )


def _joined(parameters: list[Tensor]) -> Tensor:
    """One tensor with the rows of all; each parameter becomes a view of its own."""
    sizes = [one.shape[0] for one in parameters]
    with torch.no_grad():
        whole = torch.cat([parameter.detach() for parameter in parameters])
        for parameter, rows in zip(parameters, torch.split_with_sizes(whole, sizes), strict=True):
            parameter.data = rows
    return whole
