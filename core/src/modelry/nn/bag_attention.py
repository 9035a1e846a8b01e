"""Attention of one position by weighted sums of rows. Such are embedding bags, and PyTorch has fast kernels for them.

Scores are sums of the rows of the turned keys, weighed by the query; what is found, sums of the rows of the values,
weighed by the softmax. Sums run in float32. In bfloat16 scores are rounded before they are scaled.

H query heads   K key/value heads   W keys offered   E head width
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from modelry.nn.processor import has_bfloat16_lanes

_sums = torch._embedding_bag_forward_only  # 4 µs less a call than torch.nn.functional.embedding_bag
_SUM = 0
"""The mode that adds up."""
MOST_SHARING = 8
"""Query heads that share a key/value head: from here on, products that read it once are faster."""


@dataclass(frozen=True)
class Bags:
    """Which rows are summed up, and where each sum begins."""

    columns: Tensor
    """(H E,) rows of the turned keys."""
    queries: Tensor
    """(H,) in `columns`."""
    positions: Tensor
    """(H W,) rows of the values."""
    mixtures: Tensor
    """(H,) in `positions`."""


@lru_cache(maxsize=16)
def bags(heads: int, kv_heads: int, width: int, size: int) -> Bags:
    """Those of heads of one form; widths change once in a block of the cache.

    Args:
        heads: H.
        kv_heads: K.
        width: W.
        size: E.
    """

    def rows(count: int) -> tuple[Tensor, Tensor]:
        first = torch.arange(kv_heads, device="cpu").mul_(count).repeat_interleave(heads // kv_heads)
        within = torch.arange(count, device="cpu")
        return (first[:, None] + within).view(-1).int(), torch.arange(heads, device="cpu").mul_(count).int()

    with torch.inference_mode(False):  # they outlast the call
        return Bags(*rows(size), *rows(width))


def takes_bags(heads: int, kv_heads: int, dtype: torch.dtype) -> bool:
    """Whether sums of rows are the fastest way for one position in a row of its own.

    Two cores of a Zen 4, (H, K, W, E), the fused attention, products and this, in microseconds: (9, 3, 576, 64) 98, 100
    and 62; (32, 8, 576, 128) 284, 311 and 212; (32, 32, 576, 128) 2,256, 863 and 350; (64, 8, 576, 128) 340, 339
    and 315, but 282 by products over turned keys.

    Args:
        heads: H.
        kv_heads: K.
    """
    return heads < MOST_SHARING * kv_heads and dtype in (torch.bfloat16, torch.float32) and has_bfloat16_lanes()


def attended_by_bags(
    q: Tensor, turned: Tensor, v: Tensor, added: Tensor, which: Bags, *, scale: float, out: Tensor
) -> None:
    """softmax(q k^T scale + added) v of one position in one row.

    Args:
        q: (H E,).
        turned: (K, E, W), the keys.
        v: (K, W, E).
        added: (1, 1, W) in q.dtype.
        out: (H, E), written.
    """
    rows = turned.view(-1, turned.shape[2])
    scores = _sums(rows, which.columns, which.queries, False, _SUM, False, q)[0]  # (H, W)
    shares = torch.softmax(torch.add(added, scores, alpha=scale), dim=-1)
    out.copy_(_sums(v.view(-1, v.shape[2]), which.positions, which.mixtures, False, _SUM, False, shares.view(-1))[0])
