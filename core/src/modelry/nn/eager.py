"""Attention by plain matrix products: the one whose weights can be seen.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.masks import Mask


def eager_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0, softcap: float = 0.0
) -> Tensor:
    """softmax(q k^T scale + mask) v; see `modelry.nn.attention.Attend`. The softmax runs in float32.

    Args:
        q: (B, H, T, E).
        k: (B, K, W, E).
        v: (B, K, W, E).

    Returns:
        (B, H, T, E).
    """
    rows, heads, new, size = q.shape
    kv_heads = k.shape[1]
    group = heads // kv_heads
    folded = q.reshape(rows, kv_heads, group * new, size)  # (B, K, H/K T, E): heads of one key/value head in a row
    scores = torch.matmul(folded, k.transpose(2, 3)) * scale  # (B, K, H/K T, W)
    if softcap:
        scores = torch.tanh(scores / softcap) * softcap
    forbidden = mask.folded(scores.dtype, group)
    if forbidden is not None:
        scores = scores + forbidden
    elif mask.causal:
        later = torch.ones(new, new, dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(later.repeat(group, 1), float("-inf"))
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    if dropout:
        weights = F.dropout(weights, dropout)
    if mask.weights is not None:
        mask.weights.append(weights.reshape(rows, heads, new, -1)[..., : mask.used])
    return torch.matmul(weights, v).reshape(rows, heads, new, size)
