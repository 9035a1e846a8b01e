"""Attention of one position by weighted sums of rows. Such are embedding bags, and PyTorch has fast kernels for them.

Scores are sums of the rows of the turned keys, weighed by the query; what is found, sums of the rows of the values,
weighed by the softmax. Sums run in float32. In bfloat16 scores are rounded before they are scaled.

R rows   K key/value heads   G queries that share a key/value head   W keys offered   E head width
"""

from typing import NamedTuple

import torch
from torch import Tensor

from modelry.nn.processor import has_bfloat16_lanes

_sums = torch._embedding_bag_forward_only  # 4 µs less a call than torch.nn.functional.embedding_bag
_SUM = 0
"""The mode that adds up."""
MOST_SHARING = 8
"""Queries that share a key/value head: from here on, products that read it once are faster."""
FEWEST_KEYS = 512
"""Of all rows and heads together, in float32: below it, the fused attention is faster."""

DENSE = {torch.bfloat16: 0.25, torch.float32: 0.5}
"""Share of a batch that is not padding: from here on it is better read as a whole (two cores of a Zen 4, 9 heads on 3,
30 layers, prompts of 16 to 512 tokens, bfloat16: a step of 8 rows 60 to 49 milliseconds, of 32 rows 118 to 88)."""


class Bags(NamedTuple):
    """Which rows are summed up, and where each sum begins. Sums are in the order of rows, heads and queries."""

    columns: Tensor
    """(R K G E,) rows of the turned keys."""
    queries: Tensor
    """(R K G,) in `columns`."""
    positions: Tensor
    """(R K G W,) rows of the values."""
    mixtures: Tensor
    """(R K G,) in `positions`."""


def bags(rows: int, kv_heads: int, sharing: int, width: int, size: int, *, apart: int = 1) -> Bags:
    """Those of all layers of one form.

    Args:
        rows: R.
        kv_heads: K.
        sharing: G.
        width: W.
        size: E.
        apart: keys and values have so many rows for each of R, of which the first is read.
    """
    heads = torch.arange(rows, device="cpu").mul_(apart * kv_heads)[:, None] + torch.arange(kv_heads, device="cpu")
    heads = heads.view(-1).repeat_interleave(sharing)

    def taken(count: int) -> tuple[Tensor, Tensor]:
        each = heads[:, None] * count + torch.arange(count, device="cpu")
        return each.view(-1).int(), torch.arange(len(heads), device="cpu").mul_(count).int()

    return Bags(*taken(size), *taken(width))


def takes_bags(sharing: int, keys: int, dtype: torch.dtype) -> bool:
    """Whether sums of rows are the fastest way for one new position.

    Two cores of a Zen 4, bfloat16, the fused attention, products and this, in microseconds, of (R, K, G, W, E):
    (1, 3, 3, 576, 64) 98, 100 and 62; (1, 8, 4, 576, 128) 284, 311 and 212; (1, 32, 1, 576, 128) 2,256, 863 and 350;
    (8, 3, 3, 576, 64) 469, 321 and 235; (6, 6, 1, 1500, 64) 3,280, 814 and 569; (1, 8, 8, 576, 128) 340, 339 and 315,
    but 282 by products over turned keys.

    Args:
        sharing: G.
        keys: R K W.
    """
    least = 1 if dtype is torch.bfloat16 else FEWEST_KEYS
    known = dtype in (torch.bfloat16, torch.float32)
    return known and sharing < MOST_SHARING and keys >= least and has_bfloat16_lanes()


def is_dense(attention_mask: Tensor, dtype: torch.dtype) -> bool:
    """Whether padding is too little to be passed over, which only products can, that take longer for each position.

    Args:
        attention_mask: (R, W), 0 for padding.
    """
    return dtype in DENSE and bool(DENSE[dtype] * attention_mask.numel() <= attention_mask.sum())


def tables(keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Keys that lie turned and values, both (R, K, W, E), as rows to be summed up, (R K E, W) and (R K W, E)."""
    return keys.transpose(2, 3).view(-1, keys.shape[2]), values.view(-1, values.shape[3])


class Held:
    """The `tables` of buffers that serve many steps."""

    def __init__(self) -> None:
        self._of: tuple[Tensor | None, Tensor | None] = None, None
        self._tables: tuple[Tensor, Tensor] | None = None

    def of(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The tables of these."""
        if self._tables is None or self._of[0] is not keys or self._of[1] is not values:
            self._of, self._tables = (keys, values), tables(keys, values)
        return self._tables


def attended_by_bags(
    q: Tensor, held: tuple[Tensor, Tensor], added: Tensor | None, which: Bags, *, scale: float
) -> Tensor:
    """softmax(q k^T scale + added) v of one position.

    Args:
        q: (R, K, G, E).
        held: `tables` of keys and values.
        added: (R or 1, K or 1, G or 1, W) in q.dtype; None for nothing.

    Returns:
        (R K G, E).
    """
    turned, values = held
    scores = _sums(turned, which.columns, which.queries, False, _SUM, False, q.reshape(-1))[0].view(*q.shape[:3], -1)
    scaled = scores.mul_(scale) if added is None else torch.add(added, scores, alpha=scale)
    shares = torch.softmax(scaled, dim=-1)
    found: Tensor = _sums(values, which.positions, which.mixtures, False, _SUM, False, shares.view(-1))[0]
    return found
