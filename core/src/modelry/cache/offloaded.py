"""The cache of a layer in the host's memory: the device holds the keys and values of two layers at a time.

B rows   K key/value heads   T new positions   W positions returned   E head width
"""

from typing import final
from weakref import ReferenceType

import torch
from torch import Tensor

from modelry.accelerators import streams_of
from modelry.cache.layer import LayerCache
from modelry.cache.prefetching import Prefetch

HOST = torch.device("cpu")


@final
class OffloadedLayerCache(LayerCache):
    """Another kind of cache, kept in the host's memory, pinned there where the model computes on CUDA.

    When a layer asks for its keys, the next layer's set out for the device, beside this layer's attention. The new
    positions are written at home at once, so nothing has to be carried back. Where the model computes on the CPU it
    works the same and saves nothing.

    Args:
        home: the cache that remembers.
    """

    def __init__(self, home: LayerCache) -> None:
        self.home = home
        self.capacity = home.capacity
        self.can_rollback = home.can_rollback
        self.following: ReferenceType[OffloadedLayerCache] | None = None
        """The layer whose turn is next, the first one's after the last. Weak: a ring would outlive its cache."""
        self._ahead: Prefetch | None = None

    @property
    def rows(self) -> int | None:
        return self.home.rows

    def first_after(self, new: int) -> int:
        return self.home.first_after(new)

    def width_after(self, new: int) -> int:
        return self.home.width_after(new)

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        device = keys.device
        arrived = None if self._ahead is None or self._ahead.device != device else self._ahead
        copies = None if arrived is None else arrived.copies()  # before the host writes: no copy is under way then
        self._ahead = None
        start = self.length - self.home.first_after(keys.shape[2])
        at_home = self.home.extend(keys.to(HOST), values.to(HOST))
        self._pin(device)
        following = None if self.following is None else self.following()
        if following is not None:
            following.fetch(device)
        if self.length == 0:
            return keys, values
        frozen = copies is not None and copies[0].is_inference() and not torch.is_inference_mode_enabled()
        if arrived is None or copies is None or frozen or not arrived.are_of((self.home.keys, self.home.values)):
            return at_home[0].to(device), at_home[1].to(device)
        width = at_home[0].shape[2]
        for copy, new in zip(copies, (keys, values), strict=True):
            copy.narrow(2, start, new.shape[2]).copy_(new)
        return copies[0][:, :, :width], copies[1][:, :, :width]

    def fetch(self, device: torch.device) -> None:
        """Start to copy what is remembered to `device`."""
        if self.length and self._ahead is None and self.home.keys is not None and self.home.values is not None:
            self._ahead = Prefetch((self.home.keys, self.home.values), device)

    def _pin(self, device: torch.device) -> None:
        """Move the home into memory that a device reads by itself. Buffers that have grown are new ones."""
        home = self.home
        if home.keys is None or home.values is None or streams_of(device) is None:
            return
        if not home.keys.is_pinned():
            home.keys, home.values = home.keys.pin_memory(), home.values.pin_memory()

    def rollback(self, count: int) -> None:
        self.home.rollback(count)
        self.length = self.home.length

    def keep(self, rows: Tensor) -> None:
        self._ahead = None
        self.home.keep(rows)

    def advance(self, new: int) -> None:
        self.home.advance(new)
        self.length = self.home.length
