"""Who may attend to whom: made once for each forward pass and shared by all layers.

B batch   T new positions   W keys offered, the unused tail of a cache included   G query heads that share a key/value
head. A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.parts import CALL, CALL_ELSEWHERE, Part, Stretch, spans, stretches, texts_of

FEW = 16
"""Up to so many new positions, calls of attention are saved; with more, each row's own length is."""


@final
class Mask:
    """What attention of one pass has to know. Forms that backends derive from it are computed once.

    Args:
        allowed: (B or 1, 1, T, W) bool, True where a query may look; None where all may look at everything, or, with
            `causal`, at everything up to themselves. Every query may look somewhere, so no softmax is empty.
        causal: W = T and query i sees keys 0 to i. A backend may then use its own causal form instead of a tensor.
        weights: a list to which the layers append their attention weights (B, H, T, W); None where nobody wants them.
        earlier: where not None, what `allowed` says in fewer words: every query sees the first `earlier` keys, and
            of the T behind them those up to itself. A backend may then do without a tensor.
        parts: the same in pieces, for backends that can go by them: what lies outside of all parts is padding, whose
            result nobody reads. None where it is better done at once.
        bias: (B or 1, H, T, W), added to the scores of each head: relative positions. It goes with `allowed` only.
    """

    def __init__(
        self,
        allowed: Tensor | None = None,
        *,
        causal: bool = False,
        weights: list[Tensor] | None = None,
        earlier: int | None = None,
        parts: list[Part] | None = None,
        bias: Tensor | None = None,
    ) -> None:
        self.allowed = allowed
        self.causal = causal
        self.weights = weights
        self.earlier = earlier
        self.parts = parts
        self.bias = bias
        assert bias is None or not (causal or earlier or parts), "a bias goes with `allowed` only"
        self._additive: dict[torch.dtype, Tensor] = {}
        self._folded: dict[tuple[torch.dtype, int], Tensor] = {}
        self._elsewhere: dict[torch.device, Mask] = {}

    def to(self, device: torch.device) -> "Mask":
        """The same on another device, made once for all layers there. A model that lies on several asks for it."""
        tensors = [one for one in (self.allowed, self.bias) if one is not None]
        if all(one.device == device for one in tensors) and (tensors or not self.parts):
            return self
        if device not in self._elsewhere:
            allowed, bias = (None if one is None else one.to(device) for one in (self.allowed, self.bias))
            parts = self.parts and [part._replace(mask=part.mask.to(device)) for part in self.parts]
            self._elsewhere[device] = Mask(
                allowed, causal=self.causal, weights=self.weights, earlier=self.earlier, parts=parts, bias=bias
            )
        return self._elsewhere[device]

    def additive(self, dtype: torch.dtype) -> Tensor | None:
        """The bias, or 0, where a query may look and -inf where not, to be added to scores.

        Returns:
            (B or 1, H or 1, T, W) in `dtype`; None where nothing is forbidden by `allowed` and there is no bias.
        """
        if self.allowed is None:
            return None if self.bias is None else self.bias.to(dtype)
        found = self._additive.get(dtype)
        if found is None:
            zero = torch.zeros((), dtype=dtype, device=self.allowed.device)
            inside = zero if self.bias is None else self.bias.to(dtype)
            found = self._additive[dtype] = torch.where(self.allowed, inside, float("-inf"))
        return found

    def folded(self, dtype: torch.dtype, repeats: int) -> Tensor | None:
        """The same for queries of G = `repeats` heads laid one head after the other.

        Returns:
            (B or 1, 1, G T, W), or (B or 1, 1, 1, W) for T = 1; None where nothing is forbidden by `allowed`.
        """
        once = self.additive(dtype)
        if once is None or repeats == 1 or once.shape[2] == 1:
            return once
        assert self.bias is None, "heads with a bias of their own do not share keys"
        found = self._folded.get((dtype, repeats))
        if found is None:
            found = self._folded[dtype, repeats] = once.repeat(1, 1, repeats, 1)
        return found


def causal_mask(
    attention_mask: Tensor | None = None,
    *,
    new: int,
    seen: int = 0,
    first: int = 0,
    width: int | None = None,
    window: int | None = None,
    device: torch.device,
    weights: list[Tensor] | None = None,
) -> Mask:
    """A query sees itself and what stands before it.

    Args:
        attention_mask: (B, seen + T), 1 for real tokens and 0 for padding on either side; other numbers where texts
            lie one behind the other in a row, a number for each text, which sees no other; or (B or 1, 1, T, seen + T)
            bool for a pattern of one's own, which is taken as it is; None where nothing is padded.
        new: T.
        seen: slots in the cache.
        first: slot of the first key offered (`LayerCache.first_after`).
        width: W, number of keys offered (`LayerCache.width_after`); seen + T when None. Slots from seen + T on are
            an unused tail and masked.
        window: positions that a query sees, itself included; all of them when None.
        weights: see `Mask`.

    Raises:
        ValueError: attention_mask is of another shape.
    """
    end = seen + new
    width = end - first if width is None else width
    padding = None if attention_mask is None else _checked(attention_mask, new=new, end=end)
    eager = not torch.compiler.is_compiling()
    numbers: Tensor | None = None
    if padding is not None and padding.dim() == 2 and new > 1 and eager:
        numbers = attention_mask if _holds_several(attention_mask) else None
        padding = None if numbers is None and bool(padding.all()) else padding  # one look now saves a mask in a layer
    if padding is None and (window is None or window >= end):
        if seen == 0 and width == new:
            return Mask(causal=True, weights=weights)
        if new == 1 and width == end:
            return Mask(weights=weights)
    keys = torch.arange(first, first + width, device=device)
    queries = torch.arange(seen, end, device=device)[:, None]
    if padding is not None and padding.dim() == 4:
        return Mask(_columns(padding, first, width), weights=weights)
    allowed = keys <= queries  # (T, W); the tail lies behind every query
    if window is not None:
        allowed = allowed & (keys > queries - window)
    if padding is None:
        earlier = seen if window is None and first == 0 else None
        return Mask(allowed.expand(1, 1, new, width), weights=weights, earlier=earlier)
    # A padded position sees itself, so that no row of the softmax is empty; nobody else sees it.
    allowed = allowed & (_columns(padding, first, width)[:, None, None] | (keys == queries))
    if numbers is not None:
        allowed = allowed & (_columns(numbers, first, width)[:, None, None] == numbers[:, None, seen:, None])
    mask = Mask(allowed, weights=weights)
    if eager and weights is None and not torch.is_grad_enabled():
        if numbers is None:
            mask.parts = _parts(allowed, padding, new=new, seen=seen, first=first, window=window)
        elif seen == 0 and width == new:
            mask.parts = [
                Part((row, 1), (at, count), (at, count), causal_mask(new=count, window=window, device=device))
                for row, at, count in texts_of(numbers)
            ]
    return mask


def _holds_several(attention_mask: Tensor | None) -> bool:
    """Whether texts lie one behind the other in some row."""
    return attention_mask is not None and attention_mask.dtype is not torch.bool and bool((attention_mask > 1).any())


def _parts(
    allowed: Tensor, padding: Tensor, *, new: int, seen: int, first: int, window: int | None
) -> list[Part] | None:
    """Attention of padded rows in parts, each as wide as its longest row; None where that is no gain."""
    rows, end = padding.shape
    call = CALL if padding.device.type == "cpu" else CALL_ELSEWHERE
    if new <= FEW and rows * (end - first) < 2 * call:
        return None
    found = stretches(padding)
    together = list(spans(found, end=end, call=call)) if new <= FEW else found
    if len(together) == 1 and new <= FEW and together[0].start <= first:
        return None
    parts = []
    for one in together:
        part = _part(one, allowed, new=new, seen=seen, first=first, window=window)
        if part.queries[1] > 0:
            parts.append(part)
    return parts


def _part(one: Stretch, allowed: Tensor, *, new: int, seen: int, first: int, window: int | None) -> Part:
    end = seen + new
    if seen == 0 and one.whole and first == 0:
        count = one.end - one.start
        inside = (one.start, count)
        return Part(one.rows, inside, inside, causal_mask(new=count, window=window, device=allowed.device))
    begin, skipped = max(one.start - first, 0), max(one.start - seen, 0)
    width = end - first - begin
    if new == 1 and one.whole and one.end == end and (window is None or window >= width):
        mask = Mask()
    else:
        mask = Mask(allowed.narrow(0, *one.rows)[:, :, skipped:, begin : begin + width])
    return Part(one.rows, (skipped, new - skipped), (begin, width), mask)


def bidirectional_mask(
    attention_mask: Tensor | None = None, *, keys: int | None = None, weights: list[Tensor] | None = None
) -> Mask:
    """Every query sees every real key: encoders, and decoders that look at an encoder.

    Args:
        attention_mask: (B, W), 1 for real tokens and 0 for padding anywhere; or (B or 1, 1, T or 1, W) bool for a
            pattern of one's own, which is taken as it is; None where nothing is padded. A row without any real token
            sees all of it, so that no softmax is empty.
        keys: W, where the caller knows it and a mask of another width is a mistake.
        weights: see `Mask`.

    Raises:
        ValueError: attention_mask is of another shape.
    """
    if attention_mask is None:
        return Mask(weights=weights)
    pattern = attention_mask.dim() == 4 and attention_mask.dtype is torch.bool
    if not (pattern or attention_mask.dim() == 2) or keys not in (None, attention_mask.shape[-1]):
        width = "keys" if keys is None else keys
        raise ValueError(
            f"attention_mask has shape {tuple(attention_mask.shape)} and dtype {attention_mask.dtype}: it must be "
            f"(rows, {width}), 1 for real tokens and 0 for padding, or (rows, 1, queries, {width}) bool"
        )
    if pattern:
        return Mask(attention_mask, weights=weights)
    real = attention_mask.bool()
    if not torch.compiler.is_compiling() and bool(real.all()):
        return Mask(weights=weights)  # one look now saves a mask in every layer
    return Mask((real | ~real.any(-1, keepdim=True))[:, None, None], weights=weights)


def _checked(attention_mask: Tensor, *, new: int, end: int) -> Tensor:
    if attention_mask.dim() == 4 and attention_mask.dtype is torch.bool:
        if attention_mask.shape[1:] != (1, new, end):
            raise ValueError(
                f"attention_mask has shape {tuple(attention_mask.shape)}: with {end - new} positions in the cache and "
                f"{new} new ones it must be (rows, 1, {new}, {end})"
            )
        return attention_mask
    if attention_mask.dim() != 2 or attention_mask.shape[1] != end:
        raise ValueError(
            f"attention_mask has shape {tuple(attention_mask.shape)} and dtype {attention_mask.dtype}: with "
            f"{end - new} positions in the cache and {new} new ones it must be (rows, {end}), 1 for real tokens and 0 "
            f"for padding, or (rows, 1, {new}, {end}) bool"
        )
    return attention_mask.bool()


def _columns(padding: Tensor, first: int, width: int) -> Tensor:
    """Columns `first` to `first + width`, the tail False."""
    held = padding[..., first : first + width]
    return F.pad(held, (0, width - held.shape[-1])) if held.shape[-1] < width else held
