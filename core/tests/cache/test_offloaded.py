"""The offloaded cache: kept at home, the next layer's on its way."""

import weakref

import torch
from torch import Tensor

from modelry.cache import GrowingLayerCache, OffloadedLayerCache
from modelry.cache.prefetching import Prefetch


def some(new: int) -> Tensor:
    return torch.randn(1, 2, new, 4, generator=torch.Generator().manual_seed(new))


def pair() -> tuple[OffloadedLayerCache, OffloadedLayerCache]:
    first, second = OffloadedLayerCache(GrowingLayerCache()), OffloadedLayerCache(GrowingLayerCache())
    first.following, second.following = weakref.ref(second), weakref.ref(first)
    for layer in (first, second):
        layer.extend(some(5), some(5))
        layer.advance(5)
    return first, second


@torch.inference_mode()
def test_the_next_layer_is_on_its_way() -> None:
    first, second = pair()
    assert second._ahead is None
    first.extend(some(1), some(1))
    ahead = second._ahead
    assert ahead is not None
    keys, _ = second.extend(some(1), some(1))
    assert keys.data_ptr() == ahead.copies()[0].data_ptr()
    assert torch.equal(keys[:, :, :6], torch.cat((some(5), some(1)), 2))
    assert second._ahead is None
    assert first._ahead is not None


@torch.inference_mode()
def test_copies_of_what_has_changed_are_dropped() -> None:
    first, second = pair()
    first.extend(some(1), some(1))
    second.keep(torch.tensor([0, 0]))
    assert second._ahead is None
    first, second = pair()
    first.extend(some(1), some(1))
    before = second._ahead
    keys, _ = second.extend(some(100), some(100))  # home has grown
    assert before is not None
    assert not before.are_of((second.home.keys, second.home.values))
    assert torch.equal(keys[:, :, :105], torch.cat((some(5), some(100)), 2))


def test_the_device_holds_nothing_of_a_dropped_cache() -> None:
    first, second = pair()
    kept = weakref.ref(second)
    del second
    assert kept() is None
    first.extend(some(1), some(1))


def test_a_copy_is_a_copy() -> None:
    source = some(3)
    fetched = Prefetch((source,), torch.device("cpu"))
    assert fetched.are_of((source,))
    assert not fetched.are_of((some(3),))
    assert torch.equal(fetched.copies()[0], source)
    assert fetched.copies()[0].data_ptr() != source.data_ptr()
