"""How far a key is from a query, in buckets that widen with the distance.

Raffel et al. 2020, https://arxiv.org/abs/1910.10683, section 2.1.
B batch   T new positions   W keys offered   H heads   N buckets
"""

import math

import torch
from torch import Tensor, nn


def distance_buckets(distance: Tensor, *, buckets: int, most: int, both_ways: bool) -> Tensor:
    """Number of the bucket of each distance (key minus query).

    The near half of the buckets hold one distance each; the others grow as logarithms up to `most`, and the last one
    has all that is farther. The logarithm runs in float32, as published.

    Args:
        distance: int64.
        buckets: N.
        most: from this distance on all are in the last bucket.
        both_ways: half of the buckets are for keys behind the query; otherwise such keys count as the query itself.

    Returns:
        int64 of the same shape, from 0 to N - 1.
    """
    offset = torch.zeros_like(distance)
    if both_ways:
        buckets //= 2
        offset = (distance > 0).long() * buckets
        distance = distance.abs()
    else:
        distance = -distance.clamp(max=0)
    near = buckets // 2
    growth = torch.log(distance.clamp(min=1).float() / near) / math.log(most / near) * (buckets - near)
    far = (near + growth.long()).clamp(max=buckets - 1)
    return offset + torch.where(distance < near, distance, far)


def relative_buckets(
    *,
    new: int,
    seen: int = 0,
    width: int | None = None,
    buckets: int,
    most: int,
    both_ways: bool,
    device: torch.device | None = None,
) -> Tensor:
    """The bucket of every query and key.

    Args:
        new: T.
        seen: slots in the cache.
        width: W; seen + T when None.
        buckets, most, both_ways: see `distance_buckets`.

    Returns:
        (T, W) int64.
    """
    keys = torch.arange(seen + new if width is None else width, device=device)
    queries = torch.arange(seen, seen + new, device=device)[:, None]
    return distance_buckets(keys - queries, buckets=buckets, most=most, both_ways=both_ways)


def relative_bias(table: nn.Embedding, found: Tensor) -> Tensor:
    """What is added to the scores of each head.

    Args:
        table: (N, H).
        found: (T, W), of `relative_buckets`.

    Returns:
        (1, H, T, W).
    """
    bias: Tensor = table(found)  # (T, W, H)
    return bias.permute(2, 0, 1)[None]
