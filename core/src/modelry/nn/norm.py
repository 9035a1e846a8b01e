"""Normalisation of hidden states.

B batch   T new positions   D width
"""

import torch
from torch import Tensor, nn

_ZERO = torch.zeros((), device="cpu")


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x over its root mean square, times `weight`. Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467.

    The division runs in float32 and the product with the weight in x.dtype, as published; both in float32 change
    bfloat16 logits.

    Args:
        x: (..., D).
        weight: (D,).
        eps: added to the mean square.

    Returns:
        (..., D) in x.dtype.
    """
    if x.numel() == weight.shape[0] and not torch.is_grad_enabled() and x.is_cpu and not torch.compiler.is_compiling():
        return _rms_norm_of_one_row(x, weight, eps)
    wide = x.float()
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        normal = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
        return weight * normal.to(x.dtype)
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    scale = length.square_().div_(weight.shape[0]).add_(eps).rsqrt_()
    normal = wide * scale if wide is x else wide.mul_(scale).to(x.dtype)
    return normal * weight


def _rms_norm_of_one_row(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The same for one row with the scale as a number, in three or four small operations instead of eight.

    A number times a bfloat16 tensor is computed in float32 and rounded once, as above. 19 instead of 49 microseconds
    for D 576 between two products, on two CPU cores; a decoder of 30 layers has 61 of them in each step.
    """
    length = torch.linalg.vector_norm(x, dtype=torch.float32).item()
    scale: float = (length * length / weight.shape[0] + eps) ** -0.5
    if x.dtype is torch.float32 and weight.dtype is torch.float32:
        return torch.addcmul(_ZERO, x, weight, value=scale)
    return (x * scale).mul_(weight)


class RMSNorm(nn.Module):
    """`rms_norm` with its weight, (D,), under the published name.

    Args:
        size: D.
        eps: added to the mean square.
    """

    def __init__(self, size: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"
