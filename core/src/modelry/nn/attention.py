"""What an attention function is, and the shapes around it. The functions themselves are in eager.py and sdpa.py.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
"""

from typing import Protocol

from torch import Tensor

from modelry.nn.masks import Mask


class Attend(Protocol):
    """Scaled dot-product attention. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0) -> Tensor:
        """softmax(q k^T scale + mask) v.

        Args:
            q: (B, H, T, E).
            k: (B, K, W, E); head h of q attends to head h // (H / K).
            v: (B, K, W, E).
            mask: of this pass. Where mask.weights is a list, the weights (B, H, T, W) are appended to it.
            scale: usually E ** -0.5.
            dropout: probability of dropping a weight; 0 but in training.

        Returns:
            (B, H, T, E).

        Raises:
            ValueError: weights are wanted and this backend does not compute them.
        """


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, heads E) -> (B, heads, T, E), a view."""
    rows, new, width = x.shape
    return x.view(rows, new, heads, width // heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, T, E) -> (B, T, heads E)."""
    rows, heads, new, size = x.shape
    return x.transpose(1, 2).reshape(rows, new, heads * size)


def fold_queries(q: Tensor, kv_heads: int) -> Tensor:
    """Lay the query heads that share a key/value head one behind the other: (B, H, T, E) -> (B, K, H/K T, E)."""
    rows, heads, new, size = q.shape
    return q.reshape(rows, kv_heads, heads // kv_heads * new, size)


def unfold_queries(x: Tensor, heads: int) -> Tensor:
    """The way back: (B, K, H/K T, E) -> (B, H, T, E)."""
    rows, kv_heads, folded, size = x.shape
    return x.reshape(rows, heads, kv_heads * folded // heads, size)
