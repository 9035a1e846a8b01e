"""The cache of a layer in 8 bits: about half of bfloat16, a quarter of float32.

B rows   K key/value heads   T new positions   P positions packed   N newest positions   W all of them   E head width
"""

from typing import NamedTuple, final

import torch
from torch import Tensor

from modelry.cache.buffers import BLOCK, check_fits, new_buffer, write_behind
from modelry.cache.layer import LayerCache

STEPS = 127


class Packed(NamedTuple):
    """Vectors as whole numbers of -127 to 127 and a scale for each vector."""

    numbers: Tensor
    """(B, K, P, E) int8."""
    scale: Tensor
    """(B, K, P, 1) float32: with few values to a scale, its rounding would show."""

    def first(self, count: int) -> "Packed":
        """The first `count` positions, as views."""
        return Packed(self.numbers[:, :, :count], self.scale[:, :, :count])

    def kept(self, rows: Tensor) -> "Packed":
        """Row i is what row `rows[i]` was."""
        rows = rows.to(self.scale.device)
        return Packed(self.numbers.index_select(0, rows), self.scale.index_select(0, rows))

    def followed_by(self, other: "Packed") -> "Packed":
        """These positions and then those."""
        return Packed(torch.cat((self.numbers, other.numbers), 2), torch.cat((self.scale, other.scale), 2))

    def unpack_into(self, place: Tensor) -> None:
        """Write the vectors as floats into (B, K, P, E)."""
        place.copy_(self.numbers)
        place.mul_(self.scale)


def pack(vectors: Tensor) -> Packed:
    """Round each vector (B, K, P, E) to 255 levels between minus and plus its largest value.

    A value is off by at most half a step: max|vector| / 254.
    """
    wide = vectors.float()
    scale = wide.abs().amax(dim=3, keepdim=True) / STEPS
    numbers = (wide / scale.clamp(min=torch.finfo(torch.float32).tiny)).round_().to(torch.int8)
    return Packed(numbers, scale)


@final
class QuantizedLayerCache(LayerCache):
    """Keys and values as int8 with a scale for each position and head; the newest positions as they came.

    Attention gets floats, which are made for each call and forgotten after it: one layer's at a time. `keys` and
    `values` are the newest positions, at least `newest` and less than twice as many. Rolling back further is allowed;
    what is then at the end stays packed.

    Args:
        newest: positions that stay in full precision.

    Raises:
        ValueError: `newest` is negative.
    """

    def __init__(self, newest: int = BLOCK) -> None:
        if newest < 0:
            raise ValueError(f"residual_length={newest}: the number of positions in full precision cannot be negative")
        self.newest = newest
        self.packed = 0
        """P: slots from here on are in `keys` and `values`."""
        self._keys: Packed | None = None
        self._values: Packed | None = None

    def width_after(self, new: int) -> int:
        return self.length + new

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled() and (keys.requires_grad or values.requires_grad):
            raise ValueError(
                "a quantized cache rounds, and no gradient passes through rounding: "
                "run under torch.no_grad(), or use the cache 'dynamic'"
            )
        self.packed = min(self.packed, self.length)  # rolled back so far, or a pass failed after this layer
        if self.length == 0 or self.keys is None or self.values is None:
            self._keys = self._values = None
            self._store(keys, values)
            return keys, values
        whole_keys = self._whole(self._keys, self.keys, keys)
        whole_values = self._whole(self._values, self.values, values)
        recent = self.length - self.packed
        if recent + keys.shape[2] > 2 * self.newest:
            self._store(whole_keys, whole_values)
        else:
            width = self.keys.shape[2]
            self.keys = write_behind(self.keys, keys, drop=0, held=recent, width=width)
            self.values = write_behind(self.values, values, drop=0, held=recent, width=width)
        return whole_keys, whole_values

    def _whole(self, packed: Packed | None, recent: Tensor, new: Tensor) -> Tensor:
        """(B, K, W, E) in floats: the packed positions, the newest, the new."""
        check_fits(recent, new)
        held = self.length
        whole = new.new_empty(*new.shape[:2], held + new.shape[2], new.shape[3])
        if packed is not None:
            packed.first(self.packed).unpack_into(whole[:, :, : self.packed])
        whole[:, :, self.packed : held] = recent[:, :, : held - self.packed]
        whole[:, :, held:] = new
        return whole

    def _store(self, keys: Tensor, values: Tensor) -> None:
        """Keep all positions (B, K, W, E): pack what is not packed but the newest."""
        end = max(self.packed, keys.shape[2] - self.newest)
        self._keys = _lengthened(self._keys, keys, start=self.packed, end=end)
        self._values = _lengthened(self._values, values, start=self.packed, end=end)
        self.keys = new_buffer(keys, drop=end, width=2 * self.newest)
        self.values = new_buffer(values, drop=end, width=2 * self.newest)
        self.packed = end

    def keep(self, rows: Tensor) -> None:
        super().keep(rows)
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys.kept(rows), self._values.kept(rows)


def _lengthened(packed: Packed | None, whole: Tensor, *, start: int, end: int) -> Packed:
    """The packed positions up to `start`, then those of `whole` up to `end`."""
    more = pack(whole[:, :, start:end])
    return more if packed is None else packed.first(start).followed_by(more)
