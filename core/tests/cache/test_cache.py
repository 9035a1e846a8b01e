"""The cache of a decoder: its layers go forward and back together."""

import pytest
import torch

from modelry.cache import Cache, GrowingLayerCache, SlidingLayerCache


def filled(*layers: GrowingLayerCache | SlidingLayerCache, new: int, rows: int = 2) -> Cache:
    cache = Cache(layers)
    for layer in cache:
        layer.extend(torch.ones(rows, 1, new, 2), torch.ones(rows, 1, new, 2))
    cache.advance(new)
    return cache


def test_counts() -> None:
    empty = Cache([GrowingLayerCache()])
    assert (empty.seen, empty.rows, len(empty), empty.width_after(3)) == (0, None, 1, 3)
    cache = filled(GrowingLayerCache(), SlidingLayerCache(4), new=10)
    assert cache.seen == cache.get_seq_length() == 10
    assert cache.rows == 2
    assert cache.can_rollback
    assert cache.width_after(1) == 64
    cache.rollback(3)
    assert [cache.seen, *(layer.length for layer in cache)] == [7, 7, 7]
    cache.keep(torch.tensor([0, 0, 1]))
    assert cache.rows == 3


def test_a_refused_rollback_changes_nothing() -> None:
    cache = filled(GrowingLayerCache(), SlidingLayerCache(4), new=500)
    with pytest.raises(ValueError, match="window of 4"):
        cache.rollback(400)
    assert [cache.seen, *(layer.length for layer in cache)] == [500, 500, 500]


def test_what_positions_lie_off_goes_with_the_rows() -> None:
    cache = filled(GrowingLayerCache(), new=3)
    assert cache.shift is None
    cache.shift = torch.tensor([[-2], [5]])
    cache.keep(torch.tensor([1, 1, 0]))
    assert cache.shift.tolist() == [[5], [5], [-2]]
