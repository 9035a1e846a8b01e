"""Products of e4m3 weights on hardware that multiplies e4m3 numbers.

M rows of the input   I input width   O output width
"""

from functools import cache

import torch
from torch import Tensor

from modelry.packed.scaled_packing import E4M3, LARGEST

WIDTH = 16
"""The hardware's product wants widths that are multiples of this."""


def multiplies_float8(device: torch.device) -> bool:
    """Whether products of e4m3 numbers run on a device: NVIDIA GPUs from compute capability 8.9, tried once."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9) and _works(device)


@cache
def _works(device: torch.device) -> bool:
    """Held against a plain product, since builds differ in what they were made with."""
    x = torch.linspace(-2, 2, 16 * 32, device=device).view(16, 32)
    weight = torch.linspace(-3, 3, 48 * 32, device=device).view(48, 32).flip(1)
    scale = torch.linspace(0.5, 1.5, 48, device=device).view(48, 1)
    try:
        found = product(x.bfloat16(), weight.to(E4M3), scale).float()
    except (RuntimeError, NotImplementedError, ValueError):
        return False
    expected = x @ (weight.to(E4M3).float() * scale).t()
    return bool((found - expected).norm() <= 0.1 * expected.norm())


def product(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """x W^T with each row of x rounded to e4m3, and a scale of its own.

    Args:
        x: (M, I).
        weight: (O, I) e4m3; I and O are multiples of WIDTH.
        scale: (O, 1) float32.

    Returns:
        (M, O) in x.dtype.
    """
    largest = x.abs().amax(dim=1, keepdim=True).float()
    row_scale = (largest / LARGEST).clamp_(min=torch.finfo(torch.float32).tiny)
    rows = (x.float() / row_scale).clamp_(-LARGEST, LARGEST).to(E4M3)
    y = torch._scaled_mm(rows, weight.t(), row_scale, scale.t().contiguous(), out_dtype=torch.bfloat16)
    return y.to(x.dtype)
