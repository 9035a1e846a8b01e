"""The cache of a layer that holds exactly its positions: no room, no blocks, each pass makes new tensors.

Slower than the others in a loop, and what a traced program or a learned prefix needs: nothing is written in place, so
lengths stay free and gradients flow.
"""

from typing import final

import torch
from torch import Tensor

from modelry.cache.buffers import check_fits
from modelry.cache.layer import LayerCache


@final
class JoinedLayerCache(LayerCache):
    """Keys and values (B, K, C, E), all of whose C positions are remembered.

    Args:
        keys: (B, K, C, E), C may be 0.
        values: the same.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = keys, values
        self.length = keys.shape[2]
        self._written: tuple[Tensor, Tensor] | None = None

    def width_after(self, new: int) -> int:
        return self.length + new

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        check_fits(self.keys, keys)
        held, before = self.length, (self.keys, self.values)
        if self.keys.shape[2] != held:  # rolled back
            before = self.keys[:, :, :held], self.values[:, :, :held]
        self._written = torch.cat((before[0], keys), dim=2), torch.cat((before[1], values), dim=2)
        return self._written

    def advance(self, new: int) -> None:
        super().advance(new)
        if self._written is not None:
            (self.keys, self.values), self._written = self._written, None
