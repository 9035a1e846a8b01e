"""Linear layers under their published names, and several of one input in one product.

B batch   T new positions   I input width   O output width
"""

from collections.abc import Callable
from operator import is_
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b.

    One row on the CPU takes PyTorch's matrix-vector product: in bfloat16 it reads 18 GB/s where the matrix product
    reads 10 (two cores with AMX, PyTorch 2.13), and sums in float32 just the same.

    Args:
        x: (..., I).
        weight: (O, I).
        bias: (O,) or None.

    Returns:
        (..., O).
    """
    if x.is_cpu and x.numel() == weight.shape[1] and x.dtype == weight.dtype and not torch.compiler.is_compiling():
        row = torch.mv(weight, x.view(-1)) if bias is None else torch.addmv(bias, weight, x.view(-1))
        return row.view(*x.shape[:-1], -1)
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear`, fast for one row. Its forward is `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


class Joint(NamedTuple):
    """Linear layers of one input whose weights lie one behind the other in one tensor."""

    parts: tuple[nn.Module, ...]
    weights: tuple[nn.Parameter, ...]
    weight: Tensor
    """(sum of O, I); each part's weight is a view of its rows."""
    bias: Tensor | None
    sizes: tuple[int, ...]
    """O of each part."""
    starts: tuple[int, ...]
    """Address of each part's weight."""

    def holds(self, linears: tuple[nn.Module, ...]) -> bool:
        """Whether these are the parts, and their weights still the views they were made as."""
        return all(map(is_, linears, self.parts)) and all(
            part._parameters["weight"] is weight and weight.data_ptr() == start
            for part, weight, start in zip(self.parts, self.weights, self.starts, strict=True)
        )


class JointLinear(Linear):
    """The first of several layers that `modelry.nn.fuse` has laid together. Used alone it is a `Linear`."""

    joint: Joint | None = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.joint = None  # the weights are about to be moved or cast one by one
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return moved


def project(x: Tensor, *linears: nn.Module) -> tuple[Tensor, ...]:
    """Apply several layers to one input: in one product where they lie together and no gradient is wanted.

    Args:
        x: (B, T, I).

    Returns:
        One (B, T, O) for each layer. They may be views of one tensor.
    """
    first = linears[0]
    if type(first) is JointLinear and not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        joint = first.joint
        if joint is not None and len(linears) == len(joint.parts) and joint.holds(linears):
            return torch.split_with_sizes(linear(x, joint.weight, joint.bias), joint.sizes, dim=-1)
    return tuple(layer(x) for layer in linears)
