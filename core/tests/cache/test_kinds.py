"""Every kind of cache gives what the growing one gives, whatever is kept and forgotten on the way."""

import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from modelry.cache import (  # fmt: skip
    Cache,
    GrowingLayerCache,
    LayerCache,
    OffloadedLayerCache,
    QuantizedLayerCache,
    SlidingLayerCache,
    StaticLayerCache,
)


def offloaded(home: Callable[[], LayerCache]) -> Cache:
    first, second = OffloadedLayerCache(home()), OffloadedLayerCache(home())
    first.following, second.following = weakref.ref(second), weakref.ref(first)
    return Cache([first, second])


KINDS: dict[str, Callable[[], Cache]] = {
    "static": lambda: Cache([StaticLayerCache(500) for _ in range(2)]),
    "static, too small": lambda: Cache([StaticLayerCache(20) for _ in range(2)]),
    "quantized": lambda: Cache([QuantizedLayerCache() for _ in range(2)]),
    "quantized, all of it": lambda: Cache([QuantizedLayerCache(0) for _ in range(2)]),
    "quantized, few new": lambda: Cache([QuantizedLayerCache(3) for _ in range(2)]),
    "offloaded": lambda: offloaded(GrowingLayerCache),
    "offloaded, static": lambda: offloaded(lambda: StaticLayerCache(100)),
    "offloaded, sliding": lambda: offloaded(lambda: SlidingLayerCache(400)),
}


def some(new: int, rows: int) -> Tensor:
    return torch.randn(rows, 3, new, 4, generator=torch.Generator().manual_seed(31 * new + rows))


class Pair:
    """A cache and the growing one, driven alike; what they hold is compared after each step."""

    def __init__(self, cache: Cache, *, exact: bool) -> None:
        self.caches, self.exact = (cache, Cache([GrowingLayerCache() for _ in cache])), exact

    def read(self, new: int, rows: int = 2, *, fails: bool = False) -> None:
        held = self.caches[0].seen + new
        for number, (mine, theirs) in enumerate(zip(*self.caches, strict=True)):
            keys, values = some(new, rows) + number, some(new, rows) - number
            width = mine.width_after(new)
            found, expected = mine.extend(keys, values), theirs.extend(keys, values)
            assert mine.first_after(new) == 0
            for one, other in zip(found, expected, strict=True):
                assert one.shape[2] == width
                assert one.isfinite().all()
                step = 0 if self.exact else other[:, :, :held].abs().max() / 254 * 1.0001
                assert (one[:, :, :held] - other[:, :, :held]).abs().max() <= step
            if fails:
                return
        for cache in self.caches:
            cache.advance(new)

    def both(self, name: str, argument: object) -> None:
        for cache in self.caches:
            getattr(cache, name)(argument)
        assert self.caches[0].seen == self.caches[1].seen
        assert self.caches[0].rows == self.caches[1].rows


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_hold_the_same(kind: str, inference: bool) -> None:
    pair = Pair(KINDS[kind](), exact="quantized" not in kind)
    with torch.inference_mode(inference), torch.no_grad():
        assert pair.caches[0].rows is None
        assert pair.caches[0].can_rollback
        for new in (5, 1, 1, 130, 3, 1, 70, 1):
            pair.read(new)
        pair.both("keep", torch.tensor([1, 0]))
        pair.read(1)
        pair.both("rollback", 3)
        pair.read(2)
        pair.both("keep", torch.tensor([1, 1, 0]))
        pair.read(1, 3)
        pair.read(9, 3, fails=True)
        pair.read(1, 3)
        pair.both("rollback", 150)
        pair.read(1, 3)
        pair.read(1, 3)
        pair.both("rollback", pair.caches[0].seen)
        pair.read(4, 1)
        pair.read(1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_change_nothing(kind: str) -> None:
    pair = Pair(KINDS[kind](), exact="quantized" not in kind)
    pair.read(5)
    with pytest.raises(ValueError, match="cannot roll back 6 positions: the cache remembers 5"):
        pair.caches[0].rollback(6)
    with pytest.raises(ValueError, match="holds 2 rows and the input has 1"):
        pair.caches[0].layers[0].extend(some(1, 1), some(1, 1))
    for other, found in ((some(1, 2)[:, :1], "1 of width 4"), (some(1, 2)[..., :1], "3 of width 1")):
        with torch.inference_mode(), pytest.raises(ValueError, match=f"3 key/value heads of width 4, .* has {found}"):
            pair.caches[0].layers[0].extend(other, other)
    pair.read(1)


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_inference_mode(kind: str) -> None:
    pair = Pair(KINDS[kind](), exact="quantized" not in kind)
    with torch.inference_mode():
        for new in (5, 1, 1):
            pair.read(new)
    with torch.no_grad():
        pair.read(1)
    with torch.inference_mode():
        pair.read(1)
    with torch.no_grad():
        pair.both("keep", torch.tensor([1, 0]))
        for new in (1, 1, 3):
            pair.read(new)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "quantized" not in kind])
def test_gradients_flow(kind: str) -> None:
    cache, first, second = KINDS[kind](), some(3, 2).requires_grad_(), some(1, 2).requires_grad_()
    for new in (first, second, some(1, 2)):
        outputs = [layer.extend(new, new)[0] for layer in cache]
        cache.advance(new.shape[2])
    outputs[1][:, :, :5].square().sum().backward()
    assert torch.equal(first.grad, 2 * first)  # type: ignore[arg-type]
    assert torch.equal(second.grad, 2 * second)  # type: ignore[arg-type]
