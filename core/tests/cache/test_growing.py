"""The growing cache returns what a plain concatenation would, and a masked tail."""

import pytest
import torch
from torch import Tensor

from modelry.cache import GrowingLayerCache
from modelry.cache.buffers import BLOCK, lies_turned


def some(new: int, *, rows: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(rows, 3, new, 4, generator=torch.Generator().manual_seed(seed + new))


def fill(cache: GrowingLayerCache, *chunks: Tensor) -> Tensor:
    """Extend by each chunk and return the whole of them."""
    for chunk in chunks:
        width = cache.width_after(chunk.shape[2])
        keys, values = cache.extend(chunk, -chunk)
        assert keys.shape[2] == values.shape[2] == width
        cache.advance(chunk.shape[2])
    return torch.cat(chunks, dim=2)


def test_chunks_come_back_as_one() -> None:
    cache = GrowingLayerCache()
    whole = fill(cache, some(5), some(1), some(1, seed=9), some(3 * BLOCK), some(7))
    keys, values = cache.extend(some(2), some(2))
    assert cache.length == whole.shape[2]
    assert torch.equal(keys[:, :, : cache.length], whole)
    assert torch.equal(values[:, :, : cache.length], -whole)
    assert torch.equal(keys[:, :, cache.length : cache.length + 2], some(2))
    assert torch.isfinite(keys).all()
    assert keys.is_contiguous()


def test_the_first_chunk_comes_back_as_it_is() -> None:
    cache, chunk = GrowingLayerCache(), some(5)
    keys, values = cache.extend(chunk, -chunk)
    assert keys is chunk
    assert torch.equal(values, -chunk)


def test_one_step_in_a_block_moves_nothing() -> None:
    cache = GrowingLayerCache()
    fill(cache, some(5), some(1))
    before = cache.keys
    fill(cache, some(1))
    assert cache.keys is before


@torch.inference_mode()
def test_turned_keys_are_the_same_keys() -> None:
    """For callers that read them so; they stay turned when the buffer grows and when chunks are written."""
    cache = GrowingLayerCache()
    parts = [some(BLOCK - 2)]
    fill(cache, parts[0])
    before = cache.values
    for new in (1, 3, BLOCK, 1):
        place = cache.reserve(1, turned=True)
        assert place is not None
        assert lies_turned(place[0])
        assert place[0].transpose(2, 3).is_contiguous()
        assert place[1].is_contiguous()
        parts.append(some(new, seed=new))
        fill(cache, parts[-1])
        whole = torch.cat(parts, dim=2)
        assert cache.keys is not None
        assert cache.values is not None
        assert lies_turned(cache.keys)
        assert torch.equal(cache.keys[:, :, : cache.length], whole)
        assert torch.equal(cache.values[:, :, : cache.length], -whole)
        assert torch.isfinite(cache.keys).all()
    assert cache.values is not before
    place = cache.reserve(1)
    assert place is not None
    assert place[0].is_contiguous()
    assert torch.equal(place[0][:, :, : cache.length], whole)


def test_nothing_counts_before_advance() -> None:
    cache = GrowingLayerCache()
    whole = fill(cache, some(5))
    cache.extend(some(3), some(3))
    keys, _ = cache.extend(some(1), some(1))
    assert torch.equal(keys[:, :, :6], torch.cat((whole, some(1)), 2))


def test_rollback() -> None:
    cache = GrowingLayerCache()
    whole = fill(cache, some(6), some(4))
    cache.rollback(7)
    keys, _ = cache.extend(some(1), some(1))
    assert torch.equal(keys[:, :, :4], torch.cat((whole[:, :, :3], some(1)), 2))
    with pytest.raises(ValueError, match="cannot roll back 4 positions: the cache remembers 3"):
        cache.rollback(4)


def test_rollback_of_everything_takes_other_rows() -> None:
    cache = GrowingLayerCache()
    fill(cache, some(6))
    cache.rollback(6)
    assert cache.extend(some(2, rows=5), some(2, rows=5))[0].shape[0] == 5


def test_keep_reorders_repeats_and_drops() -> None:
    cache = GrowingLayerCache()
    whole = fill(cache, some(5, rows=3))
    cache.keep(torch.tensor([2, 0, 2, 2]))
    keys, values = cache.extend(some(1, rows=4), some(1, rows=4))
    assert torch.equal(keys[:, :, :5], whole[[2, 0, 2, 2]])
    assert torch.equal(values[:, :, :5], -whole[[2, 0, 2, 2]])


def test_other_rows_are_refused() -> None:
    cache = GrowingLayerCache()
    fill(cache, some(5, rows=3))
    for mode in (torch.inference_mode(), torch.enable_grad()):
        with mode, pytest.raises(ValueError, match="holds 3 rows and the input has 1"):
            cache.extend(some(1, rows=1), some(1, rows=1))


def test_gradients_flow_through_the_cache() -> None:
    cache, first, second = GrowingLayerCache(), some(3).requires_grad_(), some(1).requires_grad_()
    fill(cache, first, second)
    keys, _ = cache.extend(some(1), some(1))
    fill(cache, some(1))
    keys.square().sum().backward()
    assert torch.equal(first.grad, 2 * first)
    assert torch.equal(second.grad, 2 * second)


def test_leaving_inference_mode() -> None:
    cache = GrowingLayerCache()
    with torch.inference_mode():
        whole = fill(cache, some(5), some(1))
    with torch.no_grad():
        keys, _ = cache.extend(some(1), some(1))
    assert torch.equal(keys[:, :, :6], whole)
