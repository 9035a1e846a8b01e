"""Attention of every place of several maps to a few places near it, whose distances are learned.

Zhu et al. 2020 (Deformable DETR), https://arxiv.org/abs/2010.04159.
B images   N places of all maps   D width   H heads   E head width   L maps   P points of each map
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry_mask2former.started_linear import StartedLinear, even_spread, nothing, outwards

Extent = tuple[int, int]
"""Rows and columns of a map."""


class DeformableAttention(nn.Module):
    """Where to look and how much each place counts are read off the place that looks.

    Args:
        width: D.
        heads: H.
        levels: L.
        points: P.
    """

    def __init__(self, width: int, heads: int, *, levels: int, points: int) -> None:
        super().__init__()
        self.heads, self.levels, self.points = heads, levels, points
        self.sampling_offsets = StartedLinear(width, heads * levels * points * 2, outwards(heads, levels, points))
        self.attention_weights = StartedLinear(width, heads * levels * points, nothing)
        self.value_proj = StartedLinear(width, width, even_spread)
        self.output_proj = StartedLinear(width, width, even_spread)

    def forward(self, x: Tensor, positions: Tensor, extents: Sequence[Extent]) -> Tensor:
        """(B, N, D) to the same.

        Args:
            positions: (B or 1, N, D), added to what looks, and not to what is seen.
            extents: rows and columns of the L maps, which lie one behind the other in x.
        """
        looking = x + positions
        shape = (*x.shape[:2], self.heads, self.levels, self.points)
        steps = self.sampling_offsets(looking).view(*shape, 2)  # (B, N, H, L, P, 2), in places of each map
        weights = self.attention_weights(looking).view(*shape[:3], -1).softmax(-1).view(shape)
        sides = x.new_tensor([(wide, tall) for tall, wide in extents], dtype=torch.float32)  # (L, 2)
        own = centres(extents, x.device)[:, None, None, None]  # (N, 1, 1, 1, 2)
        places = own + steps.float() / sides[:, None]  # (B, N, H, L, P, 2), from 0 to 1
        seen = weighed_samples(self.value_proj(x), extents, places, weights)
        out: Tensor = self.output_proj(seen)
        return out


def centres(extents: Sequence[Extent], device: torch.device) -> Tensor:
    """(N, 2), the middle of each place of all maps as (x, y), from 0 to 1."""
    found = []
    for tall, wide in extents:
        rows = (torch.arange(tall, device=device) + 0.5) / tall
        columns = (torch.arange(wide, device=device) + 0.5) / wide
        found.append(torch.stack((columns.expand(tall, wide), rows[:, None].expand(tall, wide)), dim=-1).view(-1, 2))
    return torch.cat(found)


def weighed_samples(values: Tensor, extents: Sequence[Extent], places: Tensor, weights: Tensor) -> Tensor:
    """The weighed sum of what lies at some places of several maps, between their points by bilinear interpolation.

    Args:
        values: (B, N, D), the maps one behind the other.
        extents: rows and columns of each.
        places: (B, N', H, L, P, 2) as (x, y) from 0 to 1; outside of a map is nothing.
        weights: (B, N', H, L, P).

    Returns:
        (B, N', D). Sampling runs in float32: coordinates in bfloat16 miss their place.
    """
    images, width = values.shape[0], values.shape[2]
    heads = places.shape[2]
    grids = (2 * places.float() - 1).permute(3, 0, 2, 1, 4, 5).flatten(1, 2)  # (L, B H, N', P, 2)
    shares = weights.float().permute(3, 0, 2, 1, 4).flatten(1, 2).unsqueeze(2)  # (L, B H, 1, N', P)
    maps = torch.split(values.float(), [tall * wide for tall, wide in extents], dim=1)
    summed = values.new_zeros((), dtype=torch.float32)
    for one, extent, grid, share in zip(maps, extents, grids, shares, strict=True):
        plane = one.transpose(1, 2).reshape(images * heads, width // heads, *extent)
        found = F.grid_sample(plane, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        summed = summed + (found * share).sum(-1)  # (B H, E, N')
    return summed.view(images, width, -1).transpose(1, 2).to(values.dtype)
