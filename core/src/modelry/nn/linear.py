"""Linear layers under their published names, and several of one input in one product.

B batch   T new positions   I input width   O output width
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_modules

from modelry.nn.autocast import autocast_dtype
from modelry.nn.exporting import is_exporting
from modelry.nn.float32_product import float32_product, takes_float32
from modelry.nn.processor import has_bfloat16_lanes, has_onednn, has_tiles
from modelry.nn.row_product import row_product

MOST_ROWS_LED = 16
"""Rows of one tile of AMX: up to so many, the weight may lead a product."""


def weight_leads(x: Tensor, weight: Tensor) -> bool:
    """Whether x W^T is better computed as (W x^T)^T.

    AMX takes one factor's rows as they lie and has to rearrange the other: better the few rows of the input than a
    whole weight, each time (bfloat16, 5 rows, (51864, 384), one core with AMX: 3.6 to 2.3 milliseconds). Other CPUs
    rearrange neither.

    Args:
        x: (..., I).
        weight: (O, I).
    """
    if weight.dtype is not torch.bfloat16 or x.dtype is not torch.bfloat16 or torch.compiler.is_compiling():
        return False  # first: a traced program that looked at the number of rows would be bound to it
    few = weight.shape[1] < x.numel() <= MOST_ROWS_LED * weight.shape[1]
    return few and x.is_cpu and has_tiles()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b.

    One bfloat16 row on the CPU takes PyTorch's matrix-vector product, which reads 18 GB/s where the matrix product
    reads 10 (two cores with AMX, PyTorch 2.13) and sums in float32 just the same; but see `has_bfloat16_lanes`: 11 and
    18 there (two cores of a Zen 4). In float32 both read alike, but see `takes_float32`. A few rows: see
    `weight_leads`.

    Args:
        x: (..., I).
        weight: (O, I).
        bias: (O,) or None.

    Returns:
        (..., O).
    """
    compiling = torch.compiler.is_compiling()
    one_row = weight.dtype is torch.bfloat16 and x.numel() == weight.shape[1] and x.dtype is torch.bfloat16 and x.is_cpu
    if one_row and compiling and not (is_exporting() or torch.is_grad_enabled()):
        made = row_product(weight, x.view(-1)).view(*x.shape[:-1], -1)
        return made if bias is None else made + bias
    if one_row and (compiling or not has_bfloat16_lanes()):
        row = torch.mv(weight, x.view(-1)) if bias is None else torch.addmv(bias, weight, x.view(-1))
        return row.view(*x.shape[:-1], -1)
    if weight_leads(x, weight):
        few = x.reshape(-1, weight.shape[1]).t()
        led = torch.mm(weight, few) if bias is None else torch.addmm(bias[:, None], weight, few)
        return led.t().contiguous().view(*x.shape[:-1], -1)
    if takes_float32(x, weight):
        return float32_product(x, weight, bias)
    if bias is not None and takes_more_along(x, weight):
        many: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return many
    return F.linear(x, weight, bias)


def takes_more_along(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN's own product of bfloat16 is there, which adds a bias to its sums and does what comes next.

    PyTorch's fills the result with the bias first: 7,500 rows, (1536, 384), one core with AMX: 12.2 to 8.3 ms. In
    float32 the next step costs as much inside as outside.
    """
    if weight.dtype is not torch.bfloat16 or x.dtype is not torch.bfloat16 or torch.compiler.is_compiling():
        return False  # first, as in `weight_leads`
    plain = x.is_cpu and x.numel() > 0 and type(weight) in (nn.Parameter, Tensor)  # not divided over devices
    return plain and not torch.is_grad_enabled() and _multiplies_bfloat16()


@cache
def _multiplies_bfloat16() -> bool:
    return has_onednn() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Linear(nn.Linear):
    """`nn.Linear`, fast for one row. Its forward is `linear`."""

    joint: "Joint | None" = None
    """On the first of several layers that `modelry.nn.fuse` has laid together."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.joint = None  # the weights are about to be moved or cast one by one
        moved: Self = super()._apply(fn, recurse)
        return moved


class Joint(NamedTuple):
    """Linear layers of one input whose weights lie one behind the other."""

    parts: tuple[nn.Linear, ...]
    whole: nn.Linear
    """The layer that has the outputs of all."""
    kinds: tuple[type[nn.Linear], ...]
    """Classes of the parts, whose forward the joint product stands for."""
    views: tuple[tuple[Mapping[str, Tensor | None], str, Tensor | None, int], ...]
    """Each tensor that is a view of rows of the whole: its module's parameters or buffers, its name, itself, its
    address. And each place of a tensor that is empty: a bias may come."""
    hooks: tuple[dict[int, Callable[..., object]], ...]
    """The parts' own hooks, which a joint product would not call."""

    def holds(self, linears: tuple[nn.Linear, ...]) -> bool:
        """Whether these are the parts, with the forward they had and without hooks, and their tensors still the views
        they were made as."""
        if linears != self.parts or any(self.hooks) or calls_hooks_of_all():
            return False
        for part, kind in zip(self.parts, self.kinds, strict=True):
            if type(part) is not kind or "forward" in part.__dict__:
                return False
        for tensors, name, view, address in self.views:
            if tensors.get(name) is not view or (view is not None and view.data_ptr() != address):
                return False
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a copied or pickled layer lays its own together, of tensors that are its own


def calls_hooks_of_all() -> bool:
    """Whether torch has forward hooks for modules of every kind."""
    return bool(torch_modules._global_forward_hooks or torch_modules._global_forward_pre_hooks)


class _Trust(threading.local):
    given = False


_TRUST = _Trust()


@contextmanager
def trusting_joints() -> Iterator[None]:
    """While a program is written that is dropped as soon as weights move: all others read each layer's own weight,
    since they go on when a joint no longer holds."""
    _TRUST.given = True
    try:
        yield
    finally:
        _TRUST.given = False


def joined_bias(layers: Sequence[nn.Linear]) -> nn.Parameter | None:
    """The biases of several layers one behind the other, zeros for one that has none; None where none has.

    Each layer's bias becomes a view of its part.
    """
    given = [layer.bias for layer in layers if layer.bias is not None]
    if not given:
        return None
    whole = torch.cat(
        [given[0].new_zeros(one.out_features) if one.bias is None else one.bias.detach() for one in layers]
    )
    sizes = [layer.out_features for layer in layers]
    for layer, part in zip(layers, torch.split_with_sizes(whole, sizes), strict=True):
        if layer.bias is not None:
            layer.bias.data = part
    return nn.Parameter(whole, requires_grad=False)


def project_jointly(x: Tensor, linears: tuple[nn.Linear, ...]) -> Tensor | None:
    """Apply several layers to one input in one product.

    Args:
        x: (B, T, I).

    Returns:
        (B, T, sum of O), or None where they do not lie together or a gradient is wanted.
    """
    joint: Joint | None = getattr(linears[0], "joint", None)
    if joint is None or torch.is_grad_enabled():
        return None
    if torch.compiler.is_compiling():
        if not _TRUST.given or any(one is not part for one, part in zip(linears, joint.parts, strict=True)):
            return None
    elif not joint.holds(linears):
        return None
    y: Tensor = joint.whole.forward(x)
    return y


def project(x: Tensor, *linears: nn.Linear) -> tuple[Tensor, ...]:
    """Apply several layers to one input; in one product where that can be done.

    Args:
        x: (B, T, I).

    Returns:
        One (B, T, O) for each layer. They may be views of one tensor.
    """
    joint = project_jointly(x, linears)
    if joint is None:
        rounded = autocast_dtype(x.device.type)
        if x.dtype is torch.float32 and rounded is not None:  # each layer would, and keep its own
            x = x.to(rounded)
        return tuple(layer(x) for layer in linears)
    return torch.split_with_sizes(joint, [layer.out_features for layer in linears], dim=-1)
