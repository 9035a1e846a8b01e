"""Attention by plain products, for processors whose fused attention is slow in bfloat16 (`has_bfloat16_lanes`).

Scores are sums in float32, scaled before they are rounded to bfloat16; their softmax runs in float32 and is
rounded. The fused attention keeps scores in float32: against float32 throughout, 3.5e-3 beside 2.0e-3 (512 positions).

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
G query heads that share a key/value head
"""

import torch
from torch import Tensor

from modelry.nn.processor import has_bfloat16_lanes

SCORES_AT_A_TIME = 1 << 20
"""Bounds memory, and keeps scores in the processor's cache."""
FEWEST_QUERIES = 64
"""Of a block, which has a multiple of them."""
FEWEST_KEYS, FEWEST_KEYS_OF_FEW, FEWEST_KEYS_OF_ONE = 1536, 8192, 2560
"""Of all heads together, for many queries, for up to FEW, and for one in a row of its own: below it, the operations
cost more than the fused one."""
FEW = 8


def takes_products(q: Tensor, k: Tensor) -> bool:
    """Whether products are faster than the fused attention, without gradients.

    Two cores of a Zen 4, 9 heads on 3, fused and products: 512 positions 4.3 and 2.2 milliseconds, 2,048 42 and 27; one
    new position of 32 rows behind 577 2.0 and 0.7.

    Args:
        q: (B, H, T, E).
        k: (B, K, W, E).
    """
    if q.dtype is not torch.bfloat16 or k.dtype is not torch.bfloat16 or torch.compiler.is_compiling():
        return False  # first: a traced program that looked at the number of keys would be bound to it
    least = FEWEST_KEYS if q.shape[2] > FEW or k.stride(3) != 1 else FEWEST_KEYS_OF_FEW
    return q.is_cpu and _are_enough(k.shape[0] * k.shape[1], k.shape[2], least)


def takes_products_by_one(kv_heads: int, width: int, dtype: torch.dtype) -> bool:
    """The same of `attended_by_one`, with so many keys a head: 140 and 103 µs for 1,024, 529 and 241 for 4,096."""
    return dtype is torch.bfloat16 and _are_enough(kv_heads, width, FEWEST_KEYS_OF_ONE)


def _are_enough(heads: int, width: int, least: int) -> bool:
    return heads > 2 and heads * width >= least and has_bfloat16_lanes()


def attended_by_one(q: Tensor, turned: Tensor, v: Tensor, added: Tensor, *, scale: float, out: Tensor) -> None:
    """softmax(q k^T scale + added) v of one position in one row.

    Args:
        q: (K, G, E).
        turned: (K, E, W), the keys.
        v: (K, W, E).
        added: (1, 1, W) in q.dtype.
        out: (K, G, E), written.
    """
    scores = torch.baddbmm(added, q, turned, alpha=scale)
    torch.bmm(torch.softmax(scores, dim=-1), v, out=out)


def attended(
    q: Tensor, k: Tensor, v: Tensor, added: Tensor | None = None, *, scale: float, causal: bool = False
) -> Tensor:
    """softmax(q k^T scale + added) v, so many queries at a time that their scores stay in the processor's cache.

    Args:
        q: (B, H, T, E).
        k: (B, K, W, E).
        v: (B, K, W, E).
        added: (B or 1, H or 1, T or 1, W), floating.
        causal: query i sees the first W - T keys, and of the others those up to its own; keys that a block does not
            see are not read.

    Returns:
        (B, H, T, E), laid out as (B, T, H, E).
    """
    rows, heads, new, size = q.shape
    kv_heads, width = k.shape[1:3]
    group, together = heads // kv_heads, rows * kv_heads
    turned, values = k.reshape(together, width, size).transpose(1, 2), v.reshape(together, width, size)
    mixed = q.new_empty(rows, new, kv_heads, group, size)
    count = max(1, SCORES_AT_A_TIME // (rows * heads * width * FEWEST_QUERIES)) * FEWEST_QUERIES
    count = min(count, max(new, 1))
    later = q.new_full((count, count), float("-inf")).triu_(1) if causal else None
    for begin in range(0, new, count):
        n = min(count, new - begin)
        end = width - new + begin + n if causal else width
        queries = q[:, :, begin : begin + n].reshape(together, group * n, size)
        scores = torch.baddbmm(q.new_empty(()), queries, turned[:, :, :end], beta=0, alpha=scale)
        each = scores.view(rows, heads, n, end)
        if later is not None:
            each[..., end - n :].add_(later[:n, :n])
        if added is not None:
            each.add_(added if added.shape[2] == 1 else added[:, :, begin : begin + n])
        found = torch.bmm(torch.softmax(scores, dim=-1), values[:, :end])
        mixed[:, begin : begin + n] = found.view(rows, kv_heads, group, n, size).permute(0, 3, 1, 2, 4)
    return mixed.view(rows, new, heads, size).transpose(1, 2)
