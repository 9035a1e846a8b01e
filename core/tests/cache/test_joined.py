"""The cache that holds exactly its positions returns what a concatenation would; gradients reach what it began with."""

import pytest
import torch
from torch import Tensor

from modelry.cache import JoinedLayerCache


def some(new: int, *, rows: int = 2) -> Tensor:
    return torch.randn(rows, 3, new, 4, generator=torch.Generator().manual_seed(new))


@pytest.mark.parametrize("first", [0, 5])
def test_chunks_come_back_as_one(first: int) -> None:
    cache = JoinedLayerCache(some(first), -some(first))
    for new in (3, 1):
        assert cache.width_after(new) == cache.length + new
        cache.extend(some(2), some(2))  # a pass that fails half-way
        keys, values = cache.extend(some(new), -some(new))
        cache.advance(new)
    assert torch.equal(keys, torch.cat((some(first), some(3), some(1)), 2))
    assert torch.equal(values, -keys)
    assert cache.keys is keys


def test_rollback() -> None:
    cache = JoinedLayerCache(some(5), some(5))
    cache.rollback(2)
    keys, values = cache.extend(some(1), some(1))
    assert torch.equal(keys, torch.cat((some(5)[:, :, :3], some(1)), 2))
    assert torch.equal(values, keys)
    with pytest.raises(ValueError, match="cannot roll back 9"):
        cache.rollback(9)


def test_keep() -> None:
    cache = JoinedLayerCache(some(5), -some(5))
    cache.keep(torch.tensor([1, 1, 0]))
    keys, values = cache.extend(some(1, rows=3), -some(1, rows=3))
    assert torch.equal(keys[:, :, :5], some(5)[[1, 1, 0]])
    assert torch.equal(values, -keys)
    with pytest.raises(ValueError, match="the cache holds 3 rows"):
        cache.extend(some(1), some(1))


def test_gradients() -> None:
    start = some(2).requires_grad_()
    keys, _ = JoinedLayerCache(start, start).extend(some(1), some(1))
    keys.sum().backward()
    assert start.grad is not None
    assert bool((start.grad == 1).all())
