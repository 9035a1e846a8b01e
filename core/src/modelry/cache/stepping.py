"""One step of a static cache as a compiled function sees it: tensors that stay, and the slot as a tensor too.

R rows   K key/value heads   C capacity   E head width
"""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from modelry.cache.cache import Cache
from modelry.cache.layer import LayerCache


@final
class SteppingLayerCache(LayerCache):
    """Writes one new position at a slot that no number of Python names, so that every step is the same program.

    Args:
        keys: (R, K, C, E), written to.
        values: (R, K, C, E), written to.
        slot: (1,) int64.
    """

    def __init__(self, keys: Tensor, values: Tensor, slot: Tensor) -> None:
        self.keys, self.values, self._slot = keys, values, slot

    def width_after(self, new: int) -> int:
        assert self.keys is not None
        return self.keys.shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        self.keys.index_copy_(2, self._slot, keys)
        self.values.index_copy_(2, self._slot, values)
        return self.keys, self.values


def stepping_cache(keys: Sequence[Tensor], values: Sequence[Tensor], slot: Tensor) -> Cache:
    """A cache for one forward pass of one new position, over the buffers of a static one.

    It says that all slots but the last are remembered, whichever slot is written: what a query may see is left to the
    pattern (R, 1, 1, C) that the pass is given as its attention mask.
    """
    cache = Cache([SteppingLayerCache(*pair, slot) for pair in zip(keys, values, strict=True)])
    cache.seen = keys[0].shape[2] - 1
    return cache
