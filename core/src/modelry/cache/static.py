"""The cache of a layer whose room is taken at once: tensors of one shape at one address, as compiled steps need.

B rows   K key/value heads   T new positions   C capacity   E head width
"""

from typing import final

import torch
from torch import Tensor

from modelry.cache.buffers import BLOCK, lies_turned, new_buffer, whole_blocks, write_behind
from modelry.cache.layer import LayerCache


def roomy(positions: int) -> int:
    """The least of 64, 96, 128, 192, 256, 384, ... that holds `positions`.

    Few sizes, so that generations of different lengths share compiled steps; at most a third is in vain.
    """
    size = BLOCK
    while size < positions:
        size = size // 2 * 3 if size & (size - 1) == 0 else size // 3 * 4
    return size


@final
class StaticLayerCache(LayerCache):
    """Two buffers (B, K, C, E) that stay where they are.

    The first `extend` returns its arguments, as every kind does. A few new positions attend to all C slots, which lie
    together; a chunk of a prompt attends to the blocks in use, since for many queries a slice costs nothing.

    Args:
        capacity: C. More than that makes room of the next size, which moves the buffers.

    Raises:
        ValueError: the capacity is not positive.
    """

    capacity: int

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a static cache of {capacity} positions holds nothing: it must be at least 1")
        self.capacity = capacity

    def _capacity_for(self, positions: int) -> int:
        return self.capacity if positions <= self.capacity else roomy(positions)

    def width_after(self, new: int) -> int:
        if self.length == 0 or self.keys is None:
            return new
        capacity = self._capacity_for(self.length + new)
        return capacity if new < BLOCK else min(capacity, whole_blocks(self.length + new))

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        new, held = keys.shape[2], self.length
        width, capacity = self.width_after(new), self._capacity_for(held + new)
        first = held == 0 or self.keys is None or self.values is None
        if self.keys is None or self.values is None or (first and not self._fits(keys)):
            self.keys = new_buffer(keys, drop=0, width=capacity)
            self.values = new_buffer(values, drop=0, width=capacity)
        else:
            self.keys = write_behind(self.keys, keys, drop=0, held=held, width=capacity)
            self.values = write_behind(self.values, values, drop=0, held=held, width=capacity)
        self.capacity = capacity
        return (keys, values) if first else (self.keys[:, :, :width], self.values[:, :, :width])

    def reserve(self, new: int, *, turned: bool = False) -> tuple[Tensor, Tensor] | None:
        """The whole buffers, for a caller that writes T positions from slot `length` on itself; None while empty."""
        if self.length == 0 or self.keys is None or self.values is None:
            return None
        capacity = self._capacity_for(self.length + new)
        moves = capacity != self.keys.shape[2] or lies_turned(self.keys) != turned
        if moves or self.keys.is_inference() != torch.is_inference_mode_enabled():
            nothing = self.keys[:, :, :0]
            self.keys = write_behind(self.keys, nothing, drop=0, held=self.length, width=capacity, turn=turned)
            self.values = write_behind(self.values, nothing, drop=0, held=self.length, width=capacity)
            self.capacity = capacity
        return self.keys, self.values

    def _fits(self, keys: Tensor) -> bool:
        """Whether the buffers can be written again from the start."""
        held = self.keys
        assert held is not None
        rows, heads, _, size = keys.shape
        return (held.shape[0], held.shape[1], held.shape[3]) == (rows, heads, size) and held.dtype == keys.dtype

    def keep(self, rows: Tensor) -> None:
        if self.keys is None or self.values is None:
            return
        frozen = self.keys.is_inference() and not torch.is_inference_mode_enabled()
        moved = rows.shape[0] != self.keys.shape[0] or frozen or self.keys.requires_grad
        if moved:
            super().keep(rows)
            return
        rows = rows.to(self.keys.device)
        for buffer in (self.keys, self.values):  # the same addresses: a recorded step reads them again
            buffer.copy_(buffer.index_select(0, rows))
