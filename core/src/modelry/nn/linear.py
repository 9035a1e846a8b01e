"""Linear layers under their published names, and several of one input in one product.

B batch   T new positions   I input width   O output width
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b.

    One bfloat16 row on the CPU takes PyTorch's matrix-vector product, which reads 18 GB/s where the matrix product
    reads 10 (two cores with AMX, PyTorch 2.13) and sums in float32 just the same. In float32 both read alike.

    Args:
        x: (..., I).
        weight: (O, I).
        bias: (O,) or None.

    Returns:
        (..., O).
    """
    if weight.dtype is torch.bfloat16 and x.numel() == weight.shape[1] and x.dtype is torch.bfloat16 and x.is_cpu:
        row = torch.mv(weight, x.view(-1)) if bias is None else torch.addmv(bias, weight, x.view(-1))
        return row.view(*x.shape[:-1], -1)
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear`, fast for one row. Its forward is `linear`."""

    joint: "Joint | None" = None
    """On the first of several layers that `modelry.nn.fuse` has laid together."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.joint = None  # the weights are about to be moved or cast one by one
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's is not annotated
        return moved


class Joint(NamedTuple):
    """Linear layers of one input whose weights lie one behind the other."""

    parts: tuple[nn.Linear, ...]
    whole: nn.Linear
    """The layer that has the outputs of all."""
    views: tuple[tuple[Mapping[str, Tensor | None], str, Tensor, int], ...]
    """Each tensor that is a view of rows of the whole: its module's parameters or buffers, its name, itself, its
    address."""
    hooks: tuple[dict[int, Callable[..., object]], ...]
    """The parts' own hooks, which a joint product would not call."""

    def holds(self, linears: tuple[nn.Linear, ...]) -> bool:
        """Whether these are the parts, without hooks, and their tensors still the views they were made as."""
        if linears != self.parts or any(self.hooks):
            return False
        for tensors, name, view, address in self.views:
            if tensors[name] is not view or view.data_ptr() != address:
                return False
        return True


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
    if not torch.compiler.is_compiling() and not joint.holds(linears):  # compiled steps are dropped when weights move
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
        return tuple(layer(x) for layer in linears)
    return torch.split_with_sizes(joint, [layer.out_features for layer in linears], dim=-1)
