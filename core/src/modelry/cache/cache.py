"""The cache of a whole decoder: one part for each layer, and the count of positions they remember."""

from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor

from modelry.cache.cross import CrossLayerCache
from modelry.cache.layer import LayerCache


@final
class Cache:
    """What a decoder remembers. The caller of `forward` owns it and passes it in as `past_key_values`.

    The layers write to it while a forward pass runs; the base model calls `advance` once at the end, and only then
    do the new positions count. `keep` and `rollback` are the owner's, between passes.

    Args:
        layers: one for each attention layer, in order.
    """

    def __init__(self, layers: Sequence[LayerCache]) -> None:
        self.layers = list(layers)
        self.seen = 0
        """Positions remembered, padding included."""
        self.shift: Tensor | None = None
        """(R, 1) how far positions of new tokens lie off their count, where pictures take other numbers of positions
        than of places; None: not at all. The model's that reads them."""
        self._cross: list[CrossLayerCache] = []
        self._sources: Tensor | None = None
        """(R,) the row that each had when what is remembered of the encoder was last computed; None: its own."""

    def get_seq_length(self) -> int:
        """Positions remembered: the ecosystem's name of `seen`."""
        return self.seen

    @property
    def rows(self) -> int | None:
        """Number of rows held, None while the cache is empty."""
        return self.layers[0].rows if self.layers and self.seen else None

    @property
    def can_rollback(self) -> bool:
        """Whether every layer can forget its last positions."""
        return all(layer.can_rollback for layer in self.layers)

    def cross_layers(self) -> list[CrossLayerCache]:
        """One for each layer of a decoder that looks at an encoder's output; empty ones where a text begins."""
        if not self._cross:
            self._cross = [CrossLayerCache() for _ in self.layers]
        elif self.seen == 0:
            self._sources = None
            for layer in self._cross:
                layer.clear()
        return self._cross

    def width_after(self, new: int, layer: int = 0) -> int:
        """Number of keys that `extend` of that layer will return for `new` positions."""
        return self.layers[layer].width_after(new)

    def advance(self, new: int) -> None:
        """Count the `new` positions of a finished forward pass as remembered."""
        self.seen += new
        for layer in self.layers:
            layer.advance(new)

    def rollback(self, count: int) -> None:
        """Forget the last `count` positions.

        Raises:
            ValueError: fewer are remembered, or a sliding window has dropped what would be needed. Nothing changes.
        """
        for done, layer in enumerate(self.layers):
            try:
                layer.rollback(count)
            except ValueError:
                for changed in self.layers[:done]:
                    changed.advance(count)
                raise
        self.seen -= count

    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was: reorders, repeats and drops rows.

        Args:
            rows: (R,) int64, numbers of present rows.
        """
        for layer in self.layers:
            layer.keep(rows)
        if self.shift is not None:
            self.shift = self.shift[rows.to(self.shift.device)]
        if self._cross:
            self._keep_cross(rows)

    @property
    def copies(self) -> int:
        """So many rows next to each other go on from one encoder's output each, and remember the same of it: beams."""
        if self._sources is None:
            return 1
        sources = self._sources.tolist()
        count = next((place for place, one in enumerate(sources) if one != sources[0]), len(sources))
        groups = [sources[begin : begin + count] for begin in range(0, len(sources), count)]
        alike = all(len(group) == count and len(set(group)) == 1 for group in groups)
        return count if alike else 1

    def _keep_cross(self, rows: Tensor) -> None:
        """The same for what is remembered of the encoder; beams that change places within one text move nothing."""
        first = self._cross[0].keys
        if first is None:
            return
        before = torch.arange(first.shape[0], device=rows.device) if self._sources is None else self._sources
        self._sources = before[rows]
        if not torch.equal(before, self._sources):
            for layer in self._cross:
                layer.keep(rows)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerCache]:
        return iter(self.layers)
