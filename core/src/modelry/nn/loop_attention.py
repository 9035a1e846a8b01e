"""Attention of one position by sums that torch's compiler makes loops of, in C++.

The queries that share a key/value head are written out one by one, so that each key is read and widened once for all
of them; keys lie turned, in pieces of a known size, so that no loop has a remainder. Sums run in float32.

R rows   K key/value heads   G queries that share a key/value head   W keys offered   N keys in a piece   E head width
"""

import torch
from torch import Tensor

PIECE = 32
"""N: what fits into a wide register in bfloat16. Static caches have room for a multiple of it."""
MOST_SHARING = 8
"""Queries that share a key/value head. More are not measured, and each makes compiling longer."""


def takes_loops(q: Tensor, k: Tensor) -> bool:
    """Whether a program that is being compiled attends by loops: keys lie turned for it (`LayerCache.reserve`).

    Two cores of a Zen 4, bfloat16, compiled, the fused attention and this, in microseconds, of (R, K, G, W, E):
    (1, 3, 3, 576, 64) 92 and 44; (1, 3, 3, 2048, 64) 282 and 172; (1, 8, 4, 576, 128) 294 and 230;
    (1, 32, 1, 576, 128) 2,315 and 668; (1, 8, 8, 576, 128) 344 and 263; (8, 3, 3, 576, 64) 550 and 448.

    Args:
        q: (R, H, T, E).
        k: (R, K, W, E).
    """
    alone = q.shape[2] == 1 and q.is_cpu and k.stride(3) != 1
    return alone and shares_few(q.shape[1], k.shape[1]) and torch.compiler.is_compiling()


def shares_few(heads: int, kv_heads: int) -> bool:
    """Whether few enough of H queries share one of K key/value heads."""
    return heads <= MOST_SHARING * kv_heads


def attended_by_loops(q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, *, scale: float) -> Tensor:
    """softmax(q k^T scale + added) v of one position, as it is to be compiled.

    Args:
        q: (R, H, 1, E).
        k: (R, K, W, E) that lie as (R, K, E, W), W a multiple of PIECE.
        v: (R, K, W, E).
        added: (R or 1, 1, 1, W); None for nothing.

    Returns:
        (R, H, 1, E).
    """
    rows, heads, _, size = q.shape
    kv_heads = k.shape[1]
    sharing = heads // kv_heads
    queries = (q.reshape(rows, kv_heads, sharing, size).float() * scale)[..., None, None]  # (R, K, G, E, 1, 1)
    keys = k.transpose(2, 3).unflatten(3, (-1, PIECE)).float()  # (R, K, E, W/N, N)
    each = [(queries[:, :, one] * keys).sum(2) for one in range(sharing)]
    scores = torch.stack(each, 2).flatten(3)  # (R, K, G, W)
    if added is not None:
        scores = scores + added
    shares = torch.exp(scores - scores.amax(3, keepdim=True))
    masses = shares.sum(3, keepdim=True)  # (R, K, G, 1)
    pieces = shares.unflatten(3, (-1, PIECE)).unsqueeze(-1)  # (R, K, G, W/N, N, 1)
    values = v.unflatten(2, (-1, PIECE)).float()  # (R, K, W/N, N, E)
    found = torch.stack([(pieces[:, :, one] * values).sum((2, 3)) for one in range(sharing)], 2)
    return (found / masses).to(q.dtype).view(rows, heads, 1, size)
