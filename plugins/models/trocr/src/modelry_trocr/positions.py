"""Positions that are computed and not learned, numbered as published TrOCR checkpoints were trained.

B batch   T positions   D width
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LONGEST_WAVE = 10000.0
"""Positions per radian of the slowest sine."""


def sinusoids(numbers: Tensor, width: int) -> Tensor:
    """Sines of geometrically growing wavelengths, then their cosines, and a zero where the width is odd.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, with all sines before all cosines; the last wavelength is
    exactly the longest.

    Args:
        numbers: (B, T) int64.
        width: D.

    Returns:
        (B, T, D) float32.
    """
    half = width // 2
    steps = torch.arange(half, device=numbers.device).float()
    rates = torch.exp(steps * (-math.log(LONGEST_WAVE) / max(half - 1, 1)))
    angles = numbers[..., None].float() * rates  # (B, T, D / 2)
    return F.pad(torch.cat((angles.sin(), angles.cos()), dim=-1), (0, width % 2))


class SinusoidalPositions(nn.Module):
    """Sinusoids of positions; the first has the number behind that of the padding token.

    A text's tokens are counted from the first real one, as the attention mask says. Published code leaves out ids of
    padding instead, which is the same for texts that are padded at either end.

    Args:
        size: D.
        padding: id of the padding token.
    """

    def __init__(self, size: int, *, padding: int) -> None:
        super().__init__()
        self.size, self.first = size, padding + 1

    def forward(self, position_ids: Tensor) -> Tensor:
        """Vectors (B, T, D) of positions (B, T), counted from 0; in float32."""
        return sinusoids(position_ids + self.first, self.size)

    def extra_repr(self) -> str:
        return f"{self.size}, first={self.first}"
