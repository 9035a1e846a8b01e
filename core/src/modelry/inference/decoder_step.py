"""One decode step of a whole decoder: a token id or a few for each row in, logits out.

R rows   T new positions of each   W keys offered   V vocabulary   D width of the residual stream   N rotated width
E head width
"""

from functools import lru_cache, partial
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from modelry.cache import Cache
from modelry.cache.buffers import lies_turned
from modelry.inference.layer_step import Buffers, Moment, layer_step, norm_into
from modelry.inference.parts import DecoderParts
from modelry.nn.bag_attention import bags, is_dense, takes_bags
from modelry.nn.masks import causal_mask
from modelry.nn.product_attention import takes_products_by_one
from modelry.nn.rope import Angles
from modelry.nn.sdpa import sdpa_attention


@final
class DecoderStep:
    """Runs steps of one generation; its buffers are not for two at a time.

    Args:
        parts: what the model is made of.
        rows: R.
        new: T.
    """

    def __init__(self, parts: DecoderParts, *, rows: int, new: int = 1) -> None:
        dtype = parts.norm.weight.dtype
        self.rows, self.new = rows, new
        self._parts = parts
        buffers = self._buffers = Buffers.make(parts.layers[0], lines=rows * new, dtype=dtype)
        self._width = buffers.turned.shape[2]
        self._kept = (rows, parts.layers[0].kv_heads, self._width)
        """R, K and E of what a cache keeps; that of another model is for the model's own forward to refuse."""
        self._rotated = parts.rotary.width
        first = parts.layers[0]
        self._form = rows, first.kv_heads, first.heads // first.kv_heads
        self._fused = all(layer.attend is sdpa_attention for layer in parts.layers)
        self._bags = lru_cache(maxsize=4)(partial(bags, *self._form, size=self._width))
        self._layers = [layer_step(layer, buffers, rows=rows, rotated=self._rotated) for layer in parts.layers]
        self._normalise = norm_into(parts.norm, buffers.x, buffers.normal)
        embedding = parts.embedding
        self._table = embedding.weight.detach() if type(embedding) is nn.Embedding else None

    def __call__(self, ids: Tensor, positions: Tensor, attention_mask: Tensor | None, cache: Cache) -> Tensor | None:
        """Run T positions, without counting them as remembered: `cache.advance` is the caller's.

        Args:
            ids: (R, T).
            positions: (R or 1, T).
            attention_mask: (R, S + T), or None where nothing is padded.

        Returns:
            (R, T, V) logits; None where the cache keeps its positions another way: nothing has happened then.
        """
        buffers, parts, seen = self._buffers, self._parts, cache.seen
        rows, kv_heads, sharing = self._form
        turned = self._fused and takes_bags(sharing, rows * kv_heads * (seen + 1), buffers.x.dtype)
        turned = turned and (attention_mask is None or is_dense(attention_mask, buffers.x.dtype))
        places: list[tuple[Tensor, Tensor]] = []
        moments: dict[Seeing, Moment] = {}
        seeing: list[Seeing] = []
        for part, window in zip(cache.layers, parts.windows, strict=True):
            place = part.reserve(self.new, turned=turned) if part.window in (None, window) else None
            if place is None or place[0].dtype is not buffers.x.dtype:
                return None
            held, heads, _, size = place[0].shape
            if (held, heads, size) != self._kept:
                return None
            places.append(place)
            by_bags = turned and self.new == 1 and lies_turned(place[0])
            seeing.append(Seeing(window, part.first_after(self.new), place[0].shape[2], by_bags))
        angles = parts.rotary(positions, buffers.x.dtype)
        for one in set(seeing):
            moments[one] = self._moment(angles, attention_mask, seen=seen, seeing=one)
        if self._table is None:
            buffers.x.copy_(parts.embedding(ids.reshape(-1)))
        else:
            torch.index_select(self._table, 0, ids.reshape(-1), out=buffers.x)
        for layer, (keys, values), one in zip(self._layers, places, seeing, strict=True):
            layer(keys, values, moments[one])
        self._normalise()
        logits: Tensor = parts.head(buffers.normal.view(self.rows, self.new, -1))
        return logits

    def _moment(self, angles: Angles, attention_mask: Tensor | None, *, seen: int, seeing: "Seeing") -> Moment:
        half = self._rotated // 2
        window, first, width, by_bags = seeing
        cos, sin = self._of_lines(angles.cos), self._of_lines(angles.sin)
        if self._rotated < self._width:
            ones = cos.new_ones(*cos.shape[:2], self._width - self._rotated)
            cos = torch.cat((cos, ones), dim=-1)
        slot = seen - first
        tail = torch.zeros(1, 1, 1, width, device="cpu")
        tail[..., slot + 1 :] = float("-inf")
        if window is not None:
            tail[..., : max(slot + 1 - window, 0)] = float("-inf")
        mask = None
        if attention_mask is not None or self.new > 1 or (self.rows > 1 and not by_bags):
            said = {"new": self.new, "seen": seen, "first": first, "width": width, "window": window}
            mask = causal_mask(attention_mask, **said, device=tail.device)  # type: ignore[arg-type]  # no weights in it
        dtype = self._buffers.x.dtype
        which = self._bags(width) if by_bags else None
        by_products = mask is None and takes_products_by_one(self._form[1], width, dtype)
        added = tail[0].to(dtype) if by_products or (by_bags and mask is None) else None
        if by_bags and mask is not None:
            added = mask.additive(dtype)
        return Moment(slot, cos, sin[..., :half], sin[..., half:], mask, tail, added, which)

    def _of_lines(self, angles: Tensor) -> Tensor:
        """(R or 1, 1, T, N) as (R or 1, 1, N) of one position, or (R T, 1, N) of several."""
        if self.new == 1:
            return angles.squeeze(1)
        return angles.transpose(1, 2).expand(self.rows, -1, -1, -1).reshape(self.rows * self.new, 1, -1)


class Seeing(NamedTuple):
    """What layers have in common that see alike."""

    window: int | None
    first: int
    """Slot of the first key."""
    width: int
    """W."""
    by_bags: bool
    """Whether keys lie turned, and are summed up."""
