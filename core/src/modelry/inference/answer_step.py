"""One decode step of a decoder that looks at an encoder's output: a token id for each row in, logits out.

R rows   W keys offered   S positions of the encoder's output   V vocabulary   D width of the residual stream
H heads   N width for which biases are computed
"""

from functools import lru_cache
from typing import cast, final

import torch
from torch import Tensor

from modelry.cache import Cache
from modelry.cache.buffers import lies_turned
from modelry.inference.answer_layer import AnswerBuffers, AnswerMoment, answer_layer, normed_into
from modelry.inference.answer_parts import AnswerParts
from modelry.nn.bag_attention import Bags, bags, takes_bags
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.sdpa import sdpa_attention


@final
class AnswerStep:
    """Runs steps of one generation; its buffers are not for two at a time.

    Args:
        parts: what the model is made of.
        rows: R.
    """

    def __init__(self, parts: AnswerParts, *, rows: int) -> None:
        self.rows = rows
        self._parts = parts
        buffers = self._buffers = AnswerBuffers.make(parts.layers[0], rows=rows)
        self._layers = [answer_layer(layer, buffers) for layer in parts.layers]
        self._states = buffers.x if parts.norm is None else buffers.normal
        self._normalise = None if parts.norm is None else normed_into(parts.norm, buffers.x, buffers.normal)
        own = parts.layers[0].own
        self._heads, size = own.heads, own.output.in_features // own.heads
        self._fused = all(one.attend is sdpa_attention for layer in parts.layers for one in (layer.own, layer.look))

        @lru_cache(maxsize=8)
        def made(rows: int, sharing: int, width: int, apart: int = 1) -> Bags:
            return bags(rows, own.heads, sharing, width, size, apart=apart)

        self._bags = made
        self._biases = torch.empty(0)
        """(H, 2 N): for a query at place N, what is added for keys before it and its own; -inf behind it."""
        self._source: tuple[Tensor | None, Mask] = (None, Mask())

    def __call__(self, ids: Tensor, positions: Tensor, attention_mask: Tensor | None, cache: Cache) -> Tensor | None:
        """Run one position, without counting it as remembered: `cache.advance` is the caller's.

        Args:
            ids: (R, 1).
            positions: (R or 1, 1).
            attention_mask: (R, S) of the encoder's input, or None where nothing is padded.

        Returns:
            (R, 1, V) logits; None where the cache keeps its positions another way, or has not seen the encoder's output
            yet: nothing has happened then.
        """
        x, parts, slot = self._buffers.x, self._parts, cache.seen
        crossed = cache.cross_layers()
        sources = [(one.keys, one.values) for one in crossed]
        if slot == 0 or (parts.positions is not None and slot >= parts.positions) or len(sources) != len(self._layers):
            return None
        own = self._by_bags(1, slot + 1)
        texts: list[tuple[Tensor, Tensor]] = []
        looks: list[tuple[Tensor, Tensor]] = []
        for part, (keys, values) in zip(cache.layers, sources, strict=True):
            text = part.reserve(1, turned=own) if part.window is None else None
            if text is None or keys is None or values is None or not self._fits(text[0]) or not self._fits(keys):
                return None
            texts.append(text)
            looks.append((keys, values))
        copies = cache.copies if self.rows > 1 else 1
        now = self._moment(slot, texts[0][0], looks[0][0], attention_mask, copies=copies)
        if now.look_bags is not None and not lies_turned(looks[0][0]):
            for one in crossed:
                one.turn()
            looks = [(cast(Tensor, one.keys), cast(Tensor, one.values)) for one in crossed]
        x.copy_(parts.embedded(ids, positions).squeeze(1))
        for layer, text, source in zip(self._layers, texts, looks, strict=True):
            layer(text, source, now)
        if self._normalise is not None:
            self._normalise()
        return parts.scored(self._states.unsqueeze(1))

    def _moment(
        self, slot: int, text: Tensor, source: Tensor, attention_mask: Tensor | None, *, copies: int
    ) -> AnswerMoment:
        """What is the same for all layers, of keys of a text and of an encoder's output."""
        tail, forbidden = self._tail(slot, text.shape[2]), self._forbidden(attention_mask, source, copies=copies)
        by_bags = self._by_bags(1, slot + 1) and lies_turned(text)
        own = self._bags(self.rows, 1, text.shape[2]) if by_bags else None
        look = None
        if self._by_bags(copies, source.shape[2] // copies):
            look = self._bags(self.rows // copies, copies, source.shape[2], apart=copies)
        return AnswerMoment(slot, tail if own is None else tail.to(text.dtype), forbidden, copies, own, look)

    def _by_bags(self, sharing: int, width: int) -> bool:
        """Whether sums of rows are the way, over so many keys of each of R."""
        return self._fused and takes_bags(sharing, self.rows * self._heads * width, self._buffers.x.dtype)

    def _tail(self, slot: int, width: int) -> Tensor:
        """(1, 1 or H, 1, W) what is added to scores of the text: float32, which the fused attention reads as it is."""
        bias = self._parts.bias
        if bias is None:
            tail = torch.zeros(1, 1, 1, width, device="cpu")
            tail[..., slot + 1 :] = float("-inf")
            return tail
        if 2 * width > self._biases.shape[-1]:
            before = bias(torch.arange(-width, 1)).to(self._buffers.x.dtype).float().t()  # (H, N + 1)
            behind = before.new_full((before.shape[0], width - 1), float("-inf"))
            self._biases = torch.cat((before, behind), dim=1)
        begin = self._biases.shape[1] // 2 - slot
        return self._biases[None, :, None, begin : begin + width]

    def _fits(self, held: Tensor) -> bool:
        return held.shape[0] == self.rows and held.dtype is self._buffers.x.dtype

    def _forbidden(self, attention_mask: Tensor | None, keys: Tensor, *, copies: int) -> Tensor | None:
        """Of the encoder's output, for the first of the rows that share one; one mask is looked at once."""
        if self._source[0] is not attention_mask:
            self._source = (attention_mask, bidirectional_mask(attention_mask, keys=keys.shape[2]))
        added = self._source[1].additive(keys.dtype)
        return None if added is None else added[::copies]
