"""Where things are on a page, and how far from each other.

B batch   T tokens   S positions   N patches of a page and one more   H heads
"""

import torch
from torch import Tensor, nn

from modelry.nn.relative_positions import distance_buckets

PAGE = 1000
"""Both sides of every page, in the unit of boxes."""


def patch_boxes(grid: int, *, device: torch.device) -> Tensor:
    """Boxes of a page's own token and of its patches, row by row: (N, 4) int64, left, top, right, bottom.

    Args:
        grid: patches in a row, and in a column.
    """
    edges = torch.arange(grid + 1, device=device) * PAGE // grid
    top, left = torch.meshgrid(edges[:-1], edges[:-1], indexing="ij")
    bottom, right = torch.meshgrid(edges[1:], edges[1:], indexing="ij")
    patches = torch.stack((left, top, right, bottom), dim=-1).view(-1, 4)
    whole = torch.tensor([[1, 1, PAGE - 1, PAGE - 1]], device=device)
    return torch.cat((whole, patches))


def check_boxes(bbox: Tensor, *, tokens: tuple[int, int], limit: int) -> None:
    """Refuse boxes that the model has no rows for. On an accelerator their values are not looked at.

    Args:
        tokens: (B, T).
        limit: coordinates are below it.

    Raises:
        ValueError: another shape, or a coordinate outside the page.
    """
    if tuple(bbox.shape) != (*tokens, 4):
        raise ValueError(f"bbox has shape {tuple(bbox.shape)}: with these tokens it must be {(*tokens, 4)}")
    if bbox.is_cpu and bbox.numel() and not torch.compiler.is_compiling():
        wrong = ((bbox < 0) | (bbox >= limit)).nonzero()
        if wrong.numel():
            row, token, _ = wrong[0].tolist()
            raise ValueError(
                f"the box of token {token} of row {row} is {bbox[row, token].tolist()}: coordinates are 0 to "
                f"{min(PAGE, limit - 1)} over the page"
            )


class DistanceBias(nn.Module):
    """A number for each head and distance of two positions on a line.

    Args:
        most: from this distance on all are alike.
    """

    def __init__(self, buckets: int, heads: int, *, most: int) -> None:
        super().__init__()
        self.most = most
        self.weight = nn.Parameter(torch.zeros(heads, buckets))

    def forward(self, places: Tensor) -> Tensor:
        """(B, S) int64 to (B, H, S, S)."""
        distance = places[:, None, :] - places[:, :, None]  # key minus query
        found = distance_buckets(distance, buckets=self.weight.shape[1], most=self.most, both_ways=True)
        return self.weight.t()[found].permute(0, 3, 1, 2)
