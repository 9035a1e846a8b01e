"""Where a place of a map lies, as sines and cosines of its row and column. Carion et al. 2020, section 3.2 and appendix
A.4, https://arxiv.org/abs/2005.12872.

B images   G, K rows and columns of a map   D width
"""

import math

import torch
from torch import Tensor

NEARLY_NOTHING = 1e-6
"""Keeps an image of padding alone from being divided by 0."""


def plane_positions(real: Tensor, *, width: int, temperature: float = 10000.0) -> Tensor:
    """Positions of a map's places, rows in the first half of the width and columns in the second.

    Places are counted among the real ones, and the last is 2 pi: maps of all sizes have the same range.

    Args:
        real: (B, G, K), 1 or True on places of the image and 0 on padding at its right and below it.
        width: D, a multiple of 4.
        temperature: how many times longer the longest wave is than the shortest.

    Returns:
        (B, D, G, K) float32.
    """
    places = torch.arange(width // 2, device=real.device)
    waves = temperature ** (2 * (places // 2).float() / (width // 2))  # (D / 2,), each twice
    real = real.float()
    halves = []
    for axis in (1, 2):
        counted = real.cumsum(axis)
        last = counted.narrow(axis, counted.shape[axis] - 1, 1)
        angles = (counted / (last + NEARLY_NOTHING) * (2 * math.pi)).unsqueeze(-1) / waves  # (B, G, K, D / 2)
        halves.append(torch.stack((angles[..., 0::2].sin(), angles[..., 1::2].cos()), dim=-1).flatten(-2))
    return torch.cat(halves, dim=-1).permute(0, 3, 1, 2)
