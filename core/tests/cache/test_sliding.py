"""The sliding cache holds what a window can see, and a block more for rollback."""

import pytest
import torch
from torch import Tensor

from modelry.cache import SlidingLayerCache
from modelry.cache.buffers import BLOCK, lies_turned


def positions(start: int, end: int, *, rows: int = 1) -> Tensor:
    """Keys whose every value is their slot."""
    return torch.arange(start, end, dtype=torch.float32)[None, None, :, None].expand(rows, 2, -1, 4).clone()


def run(cache: SlidingLayerCache, new: int) -> None:
    """Extend by `new`, check that everything in sight is there and in order, and advance."""
    start, first, width = cache.length, cache.first_after(new), cache.width_after(new)
    keys, values = cache.extend(positions(start, start + new), -positions(start, start + new))
    assert keys.shape[2] == width
    assert first <= max(0, start - (cache.window - 1))
    held = start + new - first
    assert torch.equal(keys[:, :, :held], positions(first, start + new))
    assert torch.equal(values[:, :, :held], -positions(first, start + new))
    assert torch.isfinite(keys).all()
    cache.advance(new)


@pytest.mark.parametrize("window", [1, 2, 7, BLOCK, 100])
@pytest.mark.parametrize("prompt", [1, 5, 4 * BLOCK])
def test_steps_after_a_prompt(window: int, prompt: int) -> None:
    cache = SlidingLayerCache(window)
    run(cache, prompt)
    for _ in range(3 * BLOCK):
        run(cache, 1)
        assert cache.keys is not None
        assert cache.keys.shape[2] <= window + 4 * BLOCK


@torch.inference_mode()
def test_steps_over_turned_keys() -> None:
    cache = SlidingLayerCache(7)
    run(cache, 5)
    for _ in range(3 * BLOCK):
        place = cache.reserve(1, turned=True)
        assert place is not None
        assert lies_turned(place[0])
        assert not lies_turned(place[1])
        run(cache, 1)
    assert cache.first > 0


def test_chunks_larger_than_the_window() -> None:
    cache = SlidingLayerCache(5)
    for new in (3, 200, 1, 1, 64, 300, 2):
        run(cache, new)
    assert cache.keys is not None
    assert cache.keys.shape[2] < 600


@pytest.mark.parametrize("steps", [0, 1, BLOCK - 1, 2 * BLOCK, 3 * BLOCK + 1])
def test_a_block_can_always_be_rolled_back(steps: int) -> None:
    cache = SlidingLayerCache(7)
    run(cache, 3 * BLOCK)
    for _ in range(steps):
        run(cache, 1)
    cache.rollback(BLOCK)
    run(cache, 2)
    run(cache, 1)


def test_what_was_dropped_cannot_be_rolled_back_to() -> None:
    cache = SlidingLayerCache(7)
    run(cache, 5 * BLOCK)
    with pytest.raises(ValueError, match=f"cannot roll back {2 * BLOCK} positions.*enough to roll back {BLOCK}"):
        cache.rollback(2 * BLOCK)
    with pytest.raises(ValueError, match="remembers"):
        cache.rollback(6 * BLOCK)
    assert cache.length == 5 * BLOCK


def test_keep() -> None:
    cache = SlidingLayerCache(7)
    both = torch.cat((positions(0, 5), positions(10, 15)))
    cache.extend(both, both)
    cache.advance(5)
    cache.keep(torch.tensor([1, 1, 0]))
    keys, _ = cache.extend(positions(5, 6, rows=3), positions(5, 6, rows=3))
    assert keys[:, 0, 0, 0].tolist() == [10, 10, 0]


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match="a sliding window of 0 positions"):
        SlidingLayerCache(0)
