"""Who may attend to whom: made once for each forward pass and shared by all layers.

B batch   T new positions   W keys offered, the unused tail of a cache included   G query heads that share a key/value
head. A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from collections.abc import Callable, Hashable, MutableSequence
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.parts import CALL, CALL_ELSEWHERE, Part, Stretch, spans, stretches, texts_of
from modelry.nn.sight import Sight
from modelry.nn.texts import holds_several

FEW = 16
"""Up to so many new positions, calls of attention are saved; with more, each row's own length is."""


@final
class Mask:
    """What attention of one pass has to know. Forms that backends derive from it are computed once.

    Args:
        allowed: (B or 1, 1, T, W) bool, True where a query may look; None where all may look at everything, or, with
            `causal`, at everything up to themselves, or where `sight` says it, of which the table is then made when it
            is first asked for. Every query may look somewhere, so no softmax is empty.
        causal: W = T and query i sees keys 0 to i. A backend may then use its own causal form instead of a tensor.
        weights: a list to which the layers append their attention weights (B, H, T, W), without the unused tail
            of a cache; None where nobody wants them.
        earlier: where not None, what `allowed` says in fewer words: every query sees the first `earlier` keys, and
            of the T behind them those up to itself. A backend may then do without a tensor.
        parts: the same in pieces, or what makes them of the mask when they are first asked for. What lies outside of
            all parts is padding, whose result nobody reads. None where it is better done at once.
        bias: (B or 1, H, T, W), added to the scores of each head: relative positions. It goes with `allowed` only.
        sight: what `allowed` says, in a few numbers; None for a pattern of one's own, or where nothing is forbidden.
    """

    def __init__(
        self,
        allowed: Tensor | None = None,
        *,
        causal: bool = False,
        weights: MutableSequence[Tensor] | None = None,
        earlier: int | None = None,
        parts: "list[Part] | Callable[[Mask], list[Part] | None] | None" = None,
        bias: Tensor | None = None,
        sight: Sight | None = None,
    ) -> None:
        self._allowed = allowed
        self.causal = causal
        self.weights = weights
        self.earlier = earlier
        self._parts = parts
        self.bias = bias
        self.sight = sight
        assert bias is None or not (causal or earlier or parts), "a bias goes with `allowed` only"
        self._additive: dict[torch.dtype, Tensor] = {}
        self._folded: dict[tuple[torch.dtype, int], Tensor] = {}
        self._elsewhere: dict[torch.device, Mask] = {}
        self._derived: dict[Hashable, Any] = {}

    @property
    def allowed(self) -> Tensor | None:
        """(B or 1, 1, T or 1, W) bool, True where a query may look; None where nothing is forbidden but by `causal`."""
        if self._allowed is None and self.sight is not None:
            self._allowed = self.sight.table()
        return self._allowed

    @property
    def used(self) -> int | None:
        """Keys offered before the unused tail of a cache; None: all of them, as far as is known."""
        return None if self.sight is None else self.sight.end - self.sight.first

    @property
    def parts(self) -> list[Part] | None:
        """The same in pieces."""
        if callable(self._parts):
            self._parts = self._parts(self)
        return self._parts

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What a backend derives from this mask, made for the first layer that asks and kept for the others.

        Args:
            key: the backend's own; its name is the best beginning.
        """
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def to(self, device: torch.device) -> "Mask":
        """The same on another device, made once for all layers there. A model that lies on several asks for it."""
        held = [one for one in (self._allowed, self.sight, self.bias) if one is not None]
        if all(one.device == device for one in held) and (held or not self.parts):
            return self
        if device not in self._elsewhere:
            sight = None if self.sight is None else self.sight.to(device)
            allowed = None if self._allowed is None or sight is not None else self._allowed.to(device)
            bias = None if self.bias is None else self.bias.to(device)
            parts = self.parts and [part._replace(mask=part.mask.to(device)) for part in self.parts]
            self._elsewhere[device] = Mask(
                allowed,
                causal=self.causal,
                weights=self.weights,
                earlier=self.earlier,
                parts=parts,
                bias=bias,
                sight=sight,
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
    weights: MutableSequence[Tensor] | None = None,
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
    if padding is not None and padding.dim() == 4:
        return Mask(_columns(padding, first, width), weights=weights)
    eager = not torch.compiler.is_compiling()
    several = False
    if padding is not None and new > 1:
        several = holds_several(attention_mask)
        whole = eager and not several and bool(padding.all())  # one look now saves a mask in every layer
        padding = None if whole else padding
    if padding is None and (window is None or window >= end):
        if seen == 0 and width == new:
            return Mask(causal=True, weights=weights)
        if new == 1 and width == end:
            return Mask(weights=weights)
    texts = attention_mask if several else padding
    sight = Sight(
        end=end, width=width, device=device, first=first, seen=seen, window=window, texts=texts, several=several
    )
    if padding is None:
        earlier = seen if window is None and first == 0 else None
        return Mask(weights=weights, earlier=earlier, sight=sight)
    falls_apart = eager and weights is None and (several or not torch.is_grad_enabled())
    return Mask(weights=weights, sight=sight, parts=_parts_of if falls_apart else None)


def _parts_of(mask: Mask) -> list[Part] | None:
    """A mask of causal attention in pieces; None where that is no gain."""
    sight = mask.sight
    assert sight is not None, "said by numbers"
    assert sight.texts is not None, "only rows with padding or several texts fall apart"
    texts, new, window = sight.texts, sight.end - sight.seen, sight.window
    if not sight.several:
        allowed = mask.allowed
        assert allowed is not None, "a sight has a table"
        return _parts(allowed, texts, new=new, seen=sight.seen, first=sight.first, window=window)
    if sight.seen > 0 or sight.width != new:
        return None
    return [
        Part((row, 1), (at, count), (at, count), causal_mask(new=count, window=window, device=sight.device))
        for row, at, count in texts_of(texts)
    ]


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
    attention_mask: Tensor | None = None, *, keys: int | None = None, weights: MutableSequence[Tensor] | None = None
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
    real = real | ~real.any(-1, keepdim=True)
    width = real.shape[1]
    return Mask(weights=weights, sight=Sight(end=width, width=width, device=real.device, causal=False, texts=real))


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
