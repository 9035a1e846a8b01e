"""How far two boxes are apart.

N, M boxes
"""

import torch
from torch import Tensor


def corners(boxes: Tensor) -> Tensor:
    """(…, 4) centre x, centre y, width, height to left, top, right, bottom."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def generalized_overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union, less the part of the box around both that neither covers; 1 to -1.

    Rezatofighi et al. 2019, https://arxiv.org/abs/1902.09630.

    Args:
        one: (N, 4) or (N, 1, 4), and other: (N, 4) or (M, 4): left, top, right, bottom.

    Returns:
        (N,), or (N, M).
    """
    shared = _area(torch.max(one[..., :2], other[..., :2]), torch.min(one[..., 2:], other[..., 2:]))
    union = _area(one[..., :2], one[..., 2:]) + _area(other[..., :2], other[..., 2:]) - shared
    around = _area(torch.min(one[..., :2], other[..., :2]), torch.max(one[..., 2:], other[..., 2:]))
    return shared / union - (around - union) / around


def _area(first: Tensor, last: Tensor) -> Tensor:
    width, height = (last - first).clamp(min=0).unbind(-1)
    return width * height
