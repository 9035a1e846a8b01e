"""The static cache stays where it is."""

import pytest
import torch

from modelry.cache import StaticLayerCache
from modelry.cache.static import roomy


def extend(cache: StaticLayerCache, new: int, rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    found = cache.extend(torch.full((rows, 1, new, 4), float(new)), torch.ones(rows, 1, new, 4))
    cache.advance(new)
    return found


def addresses(cache: StaticLayerCache) -> tuple[int, int]:
    assert cache.keys is not None
    assert cache.values is not None
    return cache.keys.data_ptr(), cache.values.data_ptr()


@torch.inference_mode()
def test_nothing_moves() -> None:
    cache = StaticLayerCache(300)
    extend(cache, 5)
    before = addresses(cache)
    assert extend(cache, 1)[0].shape == (2, 1, 300, 4)
    assert extend(cache, 100)[0].shape == (2, 1, 128, 4)
    cache.keep(torch.tensor([1, 1]))
    cache.rollback(106)
    extend(cache, 7)
    assert addresses(cache) == before
    assert cache.capacity == 300


@torch.inference_mode()
def test_keys_that_a_caller_wants_turned_stay_so() -> None:
    cache = StaticLayerCache(96)
    extend(cache, 5)
    assert cache.reserve(1, turned=True) is not None
    assert cache.keys is not None
    assert cache.keys.transpose(2, 3).is_contiguous()
    before = addresses(cache)
    extend(cache, 2)
    assert cache.reserve(1, turned=True) is not None
    assert addresses(cache) == before
    assert cache.keys[0, 0, :7, 0].tolist() == [5.0] * 5 + [2.0] * 2
    cache.keep(torch.tensor([1, 0]))
    assert addresses(cache) == before
    plain = cache.reserve(1)
    assert plain is not None
    assert plain[0].is_contiguous()
    assert plain[0][1, 0, :7, 0].tolist() == [5.0] * 5 + [2.0] * 2


@torch.inference_mode()
def test_more_than_it_has_room_for_makes_room() -> None:
    cache = StaticLayerCache(10)
    extend(cache, 8)
    assert cache.width_after(3) == 64
    keys, _ = extend(cache, 3)
    assert keys.shape[2] == cache.capacity == 64
    assert keys[0, 0, :11, 0].tolist() == [8.0] * 8 + [3.0] * 3
    cache = StaticLayerCache(10)
    extend(cache, 70)
    assert cache.capacity == 96


def test_sizes() -> None:
    assert [roomy(count) for count in (1, 64, 65, 97, 129, 8192, 8193)] == [64, 64, 96, 128, 192, 8192, 12288]


def test_no_room_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="a static cache of 0 positions"):
        StaticLayerCache(0)
