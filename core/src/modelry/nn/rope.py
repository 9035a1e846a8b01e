"""Rotary position embeddings: angles computed once for each forward pass, and the rotation by them.

B batch   T new positions   H heads   E head width   R rotated width, R <= E
Su et al. 2021, https://arxiv.org/abs/2104.09864. Values i and i + R/2 of a head are a pair, as in published weights.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from modelry.nn.frequencies import attention_factor, inverse_frequencies
from modelry.nn.rope_parameters import RopeParameters


class Angles(NamedTuple):
    """Cosine and sine of each position's angles, ready to broadcast over heads."""

    cos: Tensor
    """(B or 1, 1, T, R)."""
    sin: Tensor
    """(B or 1, 1, T, R), the first half negated: the sign of a rotation's off-diagonal."""


def rotate(x: Tensor, angles: Angles) -> Tensor:
    """Turn each pair of values by its position's angle; values beyond R stay.

    Args:
        x: (B, H, T, E).

    Returns:
        (B, H, T, E).
    """
    cos, sin = angles
    width = cos.shape[-1]
    if width == x.shape[-1]:
        return torch.addcmul(x * cos, x.roll(width // 2, -1), sin)
    turned, rest = x[..., :width], x[..., width:]
    return torch.cat((torch.addcmul(turned * cos, turned.roll(width // 2, -1), sin), rest), dim=-1)


class RotaryEmbedding(nn.Module):
    """Angles of positions. Holds the inverse frequencies, in float32 whatever the model's dtype.

    Frequencies are rounded to 8 bits in bfloat16, which turns position 1000 by whole circles; so casting the model
    leaves them alone. They are computed on the CPU even where the model is built on the meta device: no checkpoint
    holds them.

    Args:
        parameters: variant and its numbers.
        head_width: E.
        max_positions: max_position_embeddings of the configuration.

    Raises:
        ValueError: the rotated width is odd, or does not fit longrope's factors.
    """

    inv_freq: Tensor
    """(R/2,) float32."""

    def __init__(self, parameters: RopeParameters, *, head_width: int, max_positions: int) -> None:
        super().__init__()
        self.parameters_ = parameters
        self.width = parameters.rotated_width(head_width)
        self.max_positions = max_positions
        self.attention_factor = attention_factor(parameters, max_positions=max_positions)
        self.follows_length = parameters.rope_type in ("dynamic", "longrope")
        self.register_buffer("inv_freq", self._frequencies(length=0), persistent=False)

    def forward(self, positions: Tensor, dtype: torch.dtype) -> Angles:
        """Angles of `positions`, (B or 1, T) int64, in `dtype`. The product with the frequencies runs in float32."""
        return self.angles(positions[:, None, :, None].float() * self.frequencies(positions), dtype)

    def frequencies(self, positions: Tensor) -> Tensor:
        """(R/2,) float32 for these positions, which some variants look at, on their device."""
        if self.follows_length:
            return self._frequencies(length=int(positions.max()) + 1).to(positions.device)
        return self.inv_freq.to(positions.device)

    def angles(self, half: Tensor, dtype: torch.dtype) -> Angles:
        """Angles in `dtype` from those of each pair, (B or 1, 1, T, R/2) float32."""
        cos, sin = half.cos(), half.sin()
        if self.attention_factor != 1.0:
            cos, sin = cos * self.attention_factor, sin * self.attention_factor
        return Angles(torch.cat((cos, cos), dim=-1).to(dtype), torch.cat((-sin, sin), dim=-1).to(dtype))

    def extra_repr(self) -> str:
        return f"{self.parameters_.rope_type}, theta={self.parameters_.rope_theta:g}, width={self.width}"

    def _frequencies(self, *, length: int) -> Tensor:
        return inverse_frequencies(self.parameters_, width=self.width, max_positions=self.max_positions, length=length)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        exact = self.inv_freq
        super()._apply(fn, recurse)
        self.inv_freq = exact.to(self.inv_freq.device)
        return self
