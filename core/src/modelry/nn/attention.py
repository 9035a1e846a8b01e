"""What an attention function is, and the shapes around it. The functions themselves are in eager.py and sdpa.py.

B batch   T new positions   W keys offered   D hidden width
H query heads   K key/value heads   E head width
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from modelry.nn.autocast import autocast_dtype
from modelry.nn.linear import project, project_jointly
from modelry.nn.masks import Mask
from modelry.nn.rope import Angles, rotate


class Attend(Protocol):
    """Scaled dot-product attention. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762."""

    def __call__(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0, softcap: float = 0.0
    ) -> Tensor:
        """softmax(q k^T scale + mask) v.

        Args:
            q: (B, H, T, E).
            k: (B, K, W, E); head h of q attends to head h // (H / K).
            v: (B, K, W, E).
            mask: of this pass. Where mask.weights is a list, the weights (B, H, T, W) are appended to it.
            scale: usually E ** -0.5.
            dropout: probability of dropping a weight; 0 but in training.
            softcap: where not 0, scores become softcap tanh(scores / softcap) before anything is added to them, as in
                Gemma 2, https://arxiv.org/abs/2408.00118.

        Returns:
            (B, H, T, E).

        Raises:
            ValueError: weights, dropout, a softcap or a mask is wanted that this backend does not do.
        """


def in_one_dtype(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values for a kernel that autocast does not know, in the dtype that autocast says.

    Where it is on, projections give its dtype and rotations widen it again, but not that of values.
    """
    dtype = autocast_dtype(q.device.type)
    return (q, k, v) if dtype is None else (q.to(dtype), k.to(dtype), v.to(dtype))


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, heads E) -> (B, heads, T, E), a view."""
    rows, new, width = x.shape
    if new == 1:
        return x.view(rows, heads, 1, width // heads)
    return x.view(rows, new, heads, width // heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, T, E) -> (B, T, heads E)."""
    rows, heads, new, size = x.shape
    if new == 1:
        return x.reshape(rows, 1, heads * size)
    return x.transpose(1, 2).reshape(rows, new, heads * size)


def rotated_heads(
    x: Tensor,
    layers: tuple[nn.Linear, nn.Linear, nn.Linear],
    angles: Angles,
    *,
    heads: int,
    kv_heads: int,
    norms: tuple[nn.Module, nn.Module] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Project hidden states to queries, keys and values, split them into heads, rotate queries and keys.

    Where the three layers lie together (`modelry.nn.fuse`) it is one product and one rotation.

    Args:
        x: (B, T, D).
        layers: q_proj, k_proj and v_proj.
        angles: of the positions.
        heads: H.
        kv_heads: K.
        norms: of each head's queries and keys, before the rotation; None where there are none.

    Returns:
        (B, H, T, E), (B, K, T, E) and (B, K, T, E).
    """
    joint = project_jointly(x, layers)
    if joint is None:
        q, k, v = project(x, *layers)
        q, k = split_heads(q, heads), split_heads(k, kv_heads)
        if norms is not None:
            q, k = norms[0](q), norms[1](k)
        return rotate(q, angles), rotate(k, angles), split_heads(v, kv_heads)
    every = split_heads(joint, heads + 2 * kv_heads)  # (B, H + 2 K, T, E)
    if norms is not None:
        q, k, v = torch.split_with_sizes(every, [heads, kv_heads, kv_heads], dim=1)
        return rotate(norms[0](q), angles), rotate(norms[1](k), angles), v
    turned = rotate(every.narrow(1, 0, heads + kv_heads), angles)
    return (
        turned.narrow(1, 0, heads),
        turned.narrow(1, heads, kv_heads),
        every.narrow(1, heads + kv_heads, kv_heads),
    )


def joint_heads(joint: Tensor, *, heads: int, kv_heads: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Take queries, keys and values apart that lie one behind the other, as one layer gives them.

    Args:
        joint: (B, T, (H + 2 K) E).
        heads: H.
        kv_heads: K; H when None.

    Returns:
        (B, H, T, E), (B, K, T, E) and (B, K, T, E), views.
    """
    kv_heads = heads if kv_heads is None else kv_heads
    every = split_heads(joint, heads + 2 * kv_heads)
    return (
        every.narrow(1, 0, heads),
        every.narrow(1, heads, kv_heads),
        every.narrow(1, heads + kv_heads, kv_heads),
    )


def projected_heads(
    x: Tensor, layers: tuple[nn.Linear, nn.Linear, nn.Linear], *, heads: int, kv_heads: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Project hidden states to queries, keys and values and split them into heads; nothing is rotated.

    Where the three layers lie together (`modelry.nn.fuse`) it is one product.

    Args:
        x: (B, T, D).
        layers: query, key and value.
        heads: H.
        kv_heads: K; H when None.

    Returns:
        (B, H, T, E), (B, K, T, E) and (B, K, T, E).
    """
    joint = project_jointly(x, layers)
    if joint is not None:
        return joint_heads(joint, heads=heads, kv_heads=kv_heads)
    query, key, value = layers
    kv_heads = heads if kv_heads is None else kv_heads
    return split_heads(query(x), heads), split_heads(key(x), kv_heads), split_heads(value(x), kv_heads)


def self_attention(
    x: Tensor,
    layers: tuple[nn.Linear, nn.Linear, nn.Linear],
    mask: Mask,
    *,
    attend: Attend,
    heads: int,
    scale: float,
    dropout: float = 0.0,
) -> Tensor:
    """Attention of a sequence to itself without a cache, up to the output projection: encoders of text and images.

    Args:
        x: (B, T, D).
        layers: query, key and value.
        mask: of this pass.
        attend: the attention function that the layer was given.
        heads: H.
        scale: usually E ** -0.5.
        dropout: probability of dropping a weight; 0 but in training.

    Returns:
        (B, T, H E).
    """
    q, k, v = projected_heads(x, layers, heads=heads)
    return merge_heads(attend(q, k, v, mask, scale=scale, dropout=dropout))
