"""Buckets of distances, held against a loop over the published definition in plain Python."""

import math

import pytest
import torch
from torch import nn

from modelry.nn.relative_positions import distance_buckets, relative_bias, relative_buckets


def by_hand(distance: int, buckets: int, most: int, both_ways: bool) -> int:
    offset = 0
    if both_ways:
        buckets //= 2
        offset = buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    near = buckets // 2
    if distance < near:
        return offset + distance
    far = near + int(math.log(distance / near) / math.log(most / near) * (buckets - near) + 1e-6)
    return offset + min(far, buckets - 1)


@pytest.mark.parametrize("both_ways", [True, False])
@pytest.mark.parametrize(("buckets", "most"), [(32, 128), (8, 20), (12, 7)])
def test_buckets(buckets: int, most: int, both_ways: bool) -> None:
    distances = torch.arange(-200, 200)
    found = distance_buckets(distances, buckets=buckets, most=most, both_ways=both_ways)
    assert found.tolist() == [by_hand(one, buckets, most, both_ways) for one in distances.tolist()]
    assert 0 <= int(found.min()) <= int(found.max()) < buckets


def test_a_step_is_a_row_of_the_whole() -> None:
    table = nn.Embedding(8, 3)
    whole = relative_bias(table, relative_buckets(new=9, buckets=8, most=20, both_ways=False))
    step = relative_bias(table, relative_buckets(new=2, seen=5, width=9, buckets=8, most=20, both_ways=False))
    assert whole.shape == (1, 3, 9, 9)
    assert torch.equal(step, whole[:, :, 5:7])
