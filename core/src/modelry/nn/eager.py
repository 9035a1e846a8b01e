"""Attention by plain matrix products: the one whose weights can be seen.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.attention import fold_queries, unfold_queries
from modelry.nn.masks import Mask


def eager_attention(q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0) -> Tensor:
    """softmax(q k^T scale + mask) v; see `modelry.nn.attention.Attend`. The softmax runs in float32.

    Args:
        q: (B, H, T, E).
        k: (B, K, W, E).
        v: (B, K, W, E).

    Returns:
        (B, H, T, E).
    """
    heads, new, kv_heads = q.shape[1], q.shape[2], k.shape[1]
    scores = torch.matmul(fold_queries(q, kv_heads), k.transpose(2, 3)) * scale  # (B, K, H/K T, W)
    forbidden = mask.additive(scores.dtype, repeats=heads // kv_heads)
    if forbidden is not None:
        scores = scores + forbidden
    elif mask.causal:
        later = torch.ones(new, new, dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(later.repeat(heads // kv_heads, 1), float("-inf"))
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    if dropout:
        weights = F.dropout(weights, dropout)
    if mask.weights is not None:
        mask.weights.append(unfold_queries(weights, heads))
    return unfold_queries(torch.matmul(weights, v), heads)
