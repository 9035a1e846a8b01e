"""The cache of a layer that attends to a window of the last positions. It drops what no query will see again."""

from typing import final

import torch
from torch import Tensor

from modelry.cache.buffers import BLOCK, lies_turned, new_buffer, whole_blocks, write_behind
from modelry.cache.layer import LayerCache


@final
class SlidingLayerCache(LayerCache):
    """Two contiguous buffers (B, K, C, E) that hold the slots `first` to `length`, in order.

    A query sees itself and the `window - 1` positions before it. A block more than that is held, so that the last
    BLOCK positions can always be rolled back. When another block has gathered behind it, the oldest are dropped by
    copying the rest: one copy in BLOCK steps.

    Args:
        window: positions that a query sees, itself included.

    Raises:
        ValueError: window is not positive.
    """

    window: int

    def __init__(self, window: int) -> None:
        if window < 1:
            raise ValueError(f"a sliding window of {window} positions lets nothing be seen: it must be at least 1")
        self.window = window
        self.first = 0

    @property
    def _lasting(self) -> int:
        return self.window - 1 + BLOCK

    def _plan(self, new: int) -> tuple[int, int]:
        """(slot of the first key, capacity) of the buffers that `new` more positions will lie in."""
        held = self.length - self.first
        capacity = 0 if self.keys is None else self.keys.shape[2]
        if held + new <= capacity and held <= self._lasting + BLOCK:
            return self.first, capacity
        first = max(self.first, self.length - self._lasting)
        return first, whole_blocks(self.length - first + new + BLOCK)

    def first_after(self, new: int) -> int:
        return self._plan(new)[0] if self.length else 0

    def width_after(self, new: int) -> int:
        return self._plan(new)[1] if self.length else new

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        new = keys.shape[2]
        if self.length == 0 or self.keys is None or self.values is None:
            self.first = max(0, new - self._lasting)
            width = whole_blocks(new - self.first + BLOCK)
            self.keys = new_buffer(keys, drop=self.first, width=width)
            self.values = new_buffer(values, drop=self.first, width=width)
            return keys, values
        first, width = self._plan(new)
        drop, held = first - self.first, self.length - first
        self.keys = write_behind(self.keys, keys, drop=drop, held=held, width=width)
        self.values = write_behind(self.values, values, drop=drop, held=held, width=width)
        self.first = first
        return self.keys, self.values

    def reserve(self, new: int, *, turned: bool = False) -> tuple[Tensor, Tensor] | None:
        """The buffers, of which the slots from `first_after(new)` on hold; the T positions go behind the held ones."""
        if self.length == 0 or self.keys is None or self.values is None:
            return None
        first, width = self._plan(new)
        frozen = self.keys.is_inference() and not torch.is_inference_mode_enabled()
        if frozen or first != self.first or width != self.keys.shape[2] or lies_turned(self.keys) != turned:
            nothing, drop, held = self.keys.narrow(2, 0, 0), first - self.first, self.length - first
            self.keys = write_behind(self.keys, nothing, drop=drop, held=held, width=width, turn=turned)
            self.values = write_behind(self.values, nothing, drop=drop, held=held, width=width)
            self.first = first
        return self.keys, self.values

    def rollback(self, count: int) -> None:
        if not 0 <= count <= self.length:
            raise ValueError(f"cannot roll back {count} positions: the cache remembers {self.length}")
        if self.first > max(0, self.length - count - (self.window - 1)):
            raise ValueError(
                f"cannot roll back {count} positions: of {self.length}, a window of {self.window} still holds those "
                f"from {self.first} on, enough to roll back {self.length - (self.window - 1) - self.first}"
            )
        self.length -= count
