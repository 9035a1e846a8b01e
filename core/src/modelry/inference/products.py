"""Products of linear layers between buffers that stay where they are.

R rows   I input width   O output width
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from modelry.nn.float32_product import float32_product, takes_float32
from modelry.nn.linear import Joint, Linear, weight_leads
from modelry.nn.processor import has_bfloat16_lanes
from modelry.packed.packed_linear import PackedLinear

Work = Callable[[], object]
"""Reads and writes the buffers it was made with."""


def product_into(layers: tuple[nn.Linear, ...], x: Tensor, out: Tensor) -> Work:
    """Apply several layers to one input, in one product where they lie together.

    Args:
        x: (R, I).
        out: (R, sum of O), written by the work.
    """
    joint: Joint | None = getattr(layers[0], "joint", None)
    if joint is not None and joint.holds(layers):
        layers = (joint.whole,)
    if len(layers) == 1:
        return _into(layers[0], x, out)
    parts = torch.split_with_sizes(out, [layer.out_features for layer in layers], dim=1)
    works = [_into(layer, x, part) for layer, part in zip(layers, parts, strict=True)]

    def all_of_them() -> None:
        for work in works:
            work()

    return all_of_them


def _into(layer: nn.Linear, x: Tensor, out: Tensor) -> Work:
    weight, bias = layer.weight, layer.bias
    if not _takes_place(layer, x):
        outputs = _bound(layer, x)
        return lambda: out.copy_(outputs())
    if _takes_matrices(x):
        if weight_leads(x, weight):
            outputs = _led(layer, x)
            return lambda: out.copy_(outputs())
        turned = weight.detach().t()
        if bias is None:
            return lambda: torch.mm(x, turned, out=out)
        return lambda: torch.addmm(bias, x, turned, out=out)
    row, result = x.view(-1), out.view(-1)
    if bias is None:
        return lambda: torch.mv(weight, row, out=result)
    return lambda: torch.addmv(bias, weight, row, out=result)


def product_onto(layer: nn.Linear, x: Tensor, stream: Tensor) -> Work:
    """Add a layer's outputs to the residual stream.

    Args:
        x: (R, I).
        stream: (R, O), changed by the work.
    """
    weight, bias = layer.weight, layer.bias
    if not _takes_place(layer, x):
        outputs = _bound(layer, x)
        return lambda: stream.add_(outputs())
    if _takes_matrices(x):
        if weight_leads(x, weight):
            outputs = _led(layer, x)
            return lambda: stream.add_(outputs())
        turned = weight.detach().t()
        if bias is None:
            return lambda: stream.addmm_(x, turned)
        return lambda: stream.add_(torch.addmm(bias, x, turned))
    row, result = x.view(-1), stream.view(-1)
    if bias is None:
        return lambda: result.addmv_(weight, row)
    return lambda: result.add_(torch.addmv(bias, weight, row))


def _takes_matrices(x: Tensor) -> bool:
    """Whether the product of matrices is the better one: of several rows, and of one where `linear` says so."""
    return x.shape[0] > 1 or (x.dtype is torch.bfloat16 and has_bfloat16_lanes())


def _led(layer: nn.Linear, x: Tensor) -> Callable[[], Tensor]:
    """(R, O) outputs by the product that `modelry.nn.linear.weight_leads` speaks of."""
    weight, turned = layer.weight.detach(), x.t()
    if layer.bias is None:
        return lambda: torch.mm(weight, turned).t()
    bias = layer.bias.detach()[:, None].expand(-1, x.shape[0]).contiguous()
    return lambda: torch.addmm(bias, weight, turned).t()


def _bound(layer: nn.Linear, x: Tensor) -> Callable[[], Tensor]:
    if isinstance(layer, PackedLinear):
        return layer.bound(x)
    if _is_float(layer, x):
        return partial(float32_product, x, layer.weight, layer.bias)
    return lambda: layer(x)


def _takes_place(layer: nn.Linear, x: Tensor) -> bool:
    """Whether its product is one of torch's that write where they are told to."""
    return _is_float(layer, x) and not takes_float32(x, layer.weight)


def _is_float(layer: nn.Linear, x: Tensor) -> bool:
    """Whether nothing but its weight and bias makes its product."""
    return type(layer) in (Linear, nn.Linear) and layer.weight.dtype == x.dtype
