"""One step of a static cache as a compiled function sees it: tensors that stay, and the slot as a tensor too.

R rows   K key/value heads   C capacity   E head width   N positions in a piece
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
        keys: (R, K, C, E), or keys that lie turned in pieces, (R, K, E, C/N, N); written to.
        values: (R, K, C, E), or (R, K, C/N, N, E); written to.
        slot: (1,) int64.
    """

    def __init__(self, keys: Tensor, values: Tensor, slot: Tensor) -> None:
        self.keys, self.values, self._slot = keys, values, slot

    def width_after(self, new: int) -> int:
        assert self.keys is not None
        return self.keys.shape[2] if self.keys.dim() == 4 else self.keys.shape[3] * self.keys.shape[4]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        if self.keys.dim() == 4:
            self.keys.index_copy_(2, self._slot, keys)
            self.values.index_copy_(2, self._slot, values)
            return self.keys, self.values
        size = self.keys.shape[4]
        piece, place = self._slot // size, self._slot % size
        self.keys[:, :, :, piece, place] = keys.transpose(2, 3)
        self.values[:, :, piece, place] = values
        return self.keys.flatten(3).transpose(2, 3), self.values.flatten(2, 3)


def stepping_cache(keys: Sequence[Tensor], values: Sequence[Tensor], slot: Tensor) -> Cache:
    """A cache for one forward pass of one new position, over the buffers of a static one.

    It says that all slots but the last are remembered, whichever slot is written: what a query may see is left to the
    pattern (R, 1, 1, C) that the pass is given as its attention mask.
    """
    cache = Cache([SteppingLayerCache(*pair, slot) for pair in zip(keys, values, strict=True)])
    cache.seen = cache.layers[0].width_after(1) - 1
    return cache
