"""Attention by PyTorch's own fused function.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
"""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from modelry.nn.exporting import is_exporting
from modelry.nn.loop_attention import attended_by_loops, takes_loops
from modelry.nn.masks import Mask
from modelry.nn.parts import Part
from modelry.nn.product_attention import attended, takes_products

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default

FEW_ROWS = 16
"""Up to so many new positions, the queries that share a key/value head are folded into one longer query."""


def sdpa_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0, softcap: float = 0.0
) -> Tensor:
    """softmax(q k^T scale + mask) v; see `modelry.nn.attention.Attend`.

    Few new positions are folded: keys and values are then read once for each key/value head and not once for each
    query head (bfloat16, 9 heads on 3, 577 positions, two CPU cores: 284 to 58 microseconds).

    Args:
        q: (B, H, T, E).
        k: (B, K, W, E).
        v: (B, K, W, E).

    Returns:
        (B, H, T, E).

    Raises:
        ValueError: weights or a softcap are wanted, which this function does not have.
    """
    if softcap:
        raise ValueError("sdpa cannot cap scores: call model.set_attn_implementation('eager') first")
    if mask.weights is not None:
        raise ValueError("sdpa has no attention weights to give: call model.set_attn_implementation('eager') first")
    if mask.parts is not None:
        return _by_parts(q, k, v, mask.parts, scale=scale, dropout=dropout)
    rows, heads, new, size = q.shape
    plain = q.is_cpu and size == v.shape[3] and not dropout and not torch.is_grad_enabled()
    plain = plain and q.dtype == k.dtype == v.dtype  # autocast makes several of them one for torch's own function
    if plain and takes_products(q, k):
        return _by_products(q, k, v, mask, scale=scale)
    if plain and takes_loops(q, k):
        return attended_by_loops(q, k, v, mask.folded(q.dtype, heads // k.shape[1]), scale=scale)
    if plain and k.stride(3) != 1 and not torch.compiler.is_compiling():
        k = k.contiguous()  # turned keys, of a cache whose single steps read them so; the fused function is slow then
    if plain and mask.earlier and new > FEW_ROWS:
        return _earlier_and_own(q, k, v, mask.earlier, scale=scale)
    kv_heads, free = k.shape[1], is_exporting()  # an exported program keeps its lengths open
    if heads == kv_heads or free or new > FEW_ROWS or (mask.causal and new > 1):
        return scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask.additive(q.dtype),
            dropout_p=dropout,
            is_causal=mask.causal and (free or new > 1),
            scale=scale,
            enable_gqa=heads != kv_heads,
        )
    group = heads // kv_heads
    folded = q.reshape(rows, kv_heads, group * new, size)  # (B, K, H/K T, E)
    forbidden = mask.folded(q.dtype, group)
    mixed = scaled_dot_product_attention(folded, k, v, attn_mask=forbidden, dropout_p=dropout, scale=scale)
    return mixed.reshape(rows, heads, new, size)


def _by_products(q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float) -> Tensor:
    """Where `modelry.nn.product_attention` is faster."""
    new = q.shape[2]
    if mask.causal or (mask.earlier and new > FEW_ROWS):
        seen = k.shape[2] if mask.causal else (mask.earlier or 0) + new
        return attended(q, k[:, :, :seen], v[:, :, :seen], scale=scale, causal=True)
    return attended(q, k, v, mask.additive(q.dtype), scale=scale)


def _earlier_and_own(q: Tensor, k: Tensor, v: Tensor, earlier: int, *, scale: float) -> Tensor:
    """A chunk of a prompt: over the keys before it, over its own, and the two averages weighed by their masses.

    Neither needs a mask tensor, whose reading takes a quarter of the time (bfloat16, 1,024 queries behind 7,168
    positions, 9 heads on 3, one CPU core: 132 to 100 milliseconds).
    """
    rows, heads, new, size = q.shape
    kv_heads = k.shape[1]
    group = heads // kv_heads
    folded = q.reshape(rows, kv_heads, group * new, size)  # (B, K, H/K T, E)
    before, mass_before = _flash(folded, k[:, :, :earlier], v[:, :, :earlier], 0.0, False, scale=scale)
    own_keys, own_values = (one.narrow(2, earlier, new).repeat_interleave(group, dim=1) for one in (k, v))
    own, mass_own = _flash(q, own_keys, own_values, 0.0, True, scale=scale)
    share = torch.sigmoid(mass_before.reshape(rows, heads, new) - mass_own)  # the masses are logarithms
    wide = torch.promote_types(q.dtype, torch.float32)
    before = before.reshape(rows, heads, new, size).to(wide)
    return torch.lerp(own.to(wide), before, share.to(wide).unsqueeze(-1)).to(q.dtype)


def _by_parts(q: Tensor, k: Tensor, v: Tensor, parts: list[Part], *, scale: float, dropout: float) -> Tensor:
    """Each part by itself, over the keys that it needs; zeros where no part is."""
    if torch.is_grad_enabled():
        return _joined(q, k, v, parts, scale=scale, dropout=dropout)
    rows, heads, new, size = q.shape
    mixed = q.new_zeros(rows, new, heads, size).transpose(1, 2)  # laid out as the next layer reads it
    for part in parts:
        here, place = q.narrow(0, *part.rows), mixed.narrow(0, *part.rows)
        if part.queries[1] < new:
            here, place = here.narrow(2, *part.queries), place.narrow(2, *part.queries)
        keys = k.narrow(0, *part.rows).narrow(2, *part.keys)
        values = v.narrow(0, *part.rows).narrow(2, *part.keys)
        place.copy_(sdpa_attention(here, keys, values, part.mask, scale=scale, dropout=dropout))
    return mixed


def _joined(q: Tensor, k: Tensor, v: Tensor, parts: list[Part], *, scale: float, dropout: float) -> Tensor:
    """The same of parts of one row each, in the order of rows and queries, with gradients: nothing is overwritten."""
    rows, heads, new, size = q.shape
    pieces, at = [], 0
    for part in parts:
        row, begin, count = part.rows[0], *part.queries
        assert part.rows[1] == 1, "with gradients only texts that share a row fall apart"
        pieces.append(_nothing(q, row * new + begin - at))
        queries = q.narrow(0, row, 1).narrow(2, begin, count)
        keys, values = (one.narrow(0, row, 1).narrow(2, *part.keys) for one in (k, v))
        mixed = sdpa_attention(queries, keys, values, part.mask, scale=scale, dropout=dropout)  # (1, H, count, E)
        pieces.append(mixed.transpose(1, 2))
        at = row * new + begin + count
    pieces.append(_nothing(q, rows * new - at))
    return torch.cat(pieces, dim=1).view(rows, new, heads, size).transpose(1, 2)


def _nothing(q: Tensor, count: int) -> Tensor:
    return q.new_zeros(1, count, q.shape[1], q.shape[3])
