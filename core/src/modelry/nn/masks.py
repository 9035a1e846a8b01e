"""Who may attend to whom: made once for each forward pass and shared by all layers.

B batch   T new positions   W keys offered, the unused tail of a cache included   G query heads that share a key/value
head. A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F


@final
class Mask:
    """What attention of one pass has to know. Forms that backends derive from it are computed once.

    Args:
        allowed: (B or 1, 1, T, W) bool, True where a query may look; None where all may look at everything, or, with
            `causal`, at everything up to themselves. Every query may look somewhere, so no softmax is empty.
        causal: W = T and query i sees keys 0 to i. A backend may then use its own causal form instead of a tensor.
        weights: a list to which the layers append their attention weights (B, H, T, W); None where nobody wants them.
    """

    def __init__(
        self, allowed: Tensor | None = None, *, causal: bool = False, weights: list[Tensor] | None = None
    ) -> None:
        self.allowed = allowed
        self.causal = causal
        self.weights = weights
        self._additive: dict[torch.dtype, Tensor] = {}
        self._folded: dict[tuple[torch.dtype, int], Tensor] = {}

    def additive(self, dtype: torch.dtype) -> Tensor | None:
        """0 where a query may look and -inf where not, to be added to scores.

        Returns:
            (B or 1, 1, T, W) in `dtype`; None where nothing is forbidden by `allowed`.
        """
        if self.allowed is None:
            return None
        found = self._additive.get(dtype)
        if found is None:
            zero = torch.zeros((), dtype=dtype, device=self.allowed.device)
            found = self._additive[dtype] = torch.where(self.allowed, zero, float("-inf"))
        return found

    def folded(self, dtype: torch.dtype, repeats: int) -> Tensor | None:
        """The same for queries of G = `repeats` heads laid one head after the other.

        Returns:
            (B or 1, 1, G T, W), or (B or 1, 1, 1, W) for T = 1; None where nothing is forbidden by `allowed`.
        """
        once = self.additive(dtype)
        if once is None or repeats == 1 or once.shape[2] == 1:
            return once
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
        attention_mask: (B, seen + T), 1 for real tokens and 0 for padding on either side; or (B or 1, 1, T, seen + T)
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
    if padding is not None and padding.dim() == 2 and new > 1 and not torch.compiler.is_compiling():
        padding = None if bool(padding.all()) else padding  # one look now saves a mask in every layer
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
    if padding is not None:
        # A padded position sees itself, so that no row of the softmax is empty; nobody else sees it.
        allowed = allowed & (_columns(padding, first, width)[:, None, None] | (keys == queries))
    return Mask(allowed.expand(1, 1, new, width) if allowed.dim() == 2 else allowed, weights=weights)


def padding_mask(attention_mask: Tensor | None = None, *, weights: list[Tensor] | None = None) -> Mask:
    """Every query sees every real token: encoders.

    Args:
        attention_mask: (B, W), 1 for real tokens; or (B or 1, 1, T, W) bool, taken as it is; None where nothing is
            padded. A row without any real token sees all of it, so that no softmax is empty.
        weights: see `Mask`.
    """
    if attention_mask is None:
        return Mask(weights=weights)
    if attention_mask.dim() == 4:
        return Mask(attention_mask.bool(), weights=weights)
    real = attention_mask.bool()
    if not torch.compiler.is_compiling() and bool(real.all()):
        return Mask(weights=weights)
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
