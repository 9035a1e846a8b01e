"""One layer of one decode step, between buffers that all layers share.

R rows   T new positions of each   L = R T lines of a buffer   W keys offered   D width of the residual stream
F width inside the MLP   H query heads   K key/value heads   E head width   N rotated width
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from modelry.inference.parts import LayerParts
from modelry.inference.products import Work, product_into, product_onto
from modelry.nn.bag_attention import Bags, Held, attended_by_bags
from modelry.nn.masks import Mask
from modelry.nn.norm import RMSNorm
from modelry.nn.product_attention import attended_by_one
from modelry.nn.sdpa import sdpa_attention

_attend_on_cpu = torch._scaled_dot_product_flash_attention_for_cpu  # 4 µs less a call than through torch.ops


class Moment(NamedTuple):
    """What is the same for all layers of one step that see alike."""

    slot: int
    """Where the first new position's keys and values go."""
    cos: Tensor
    """(R or L, 1, E), one beyond N."""
    sin_of_first: Tensor
    """(R or L, 1, N / 2), negated."""
    sin_of_second: Tensor
    """(R or L, 1, N / 2)."""
    mask: Mask | None
    """None for one row without padding, and for several that attend by sums of rows: `tail` is there instead."""
    tail: Tensor
    """(1, 1, 1, W): -inf in slots behind the new one and before a window, 0 elsewhere. float32, whatever the model is:
    a tenth of the attention's time less than in bfloat16."""
    added: Tensor | None
    """(1, 1, W), or (R, 1, 1, W) with padding: the same in the model's dtype, where rows attend by sums of rows, or one
    by products."""
    bags: Bags | None
    """Where they attend by sums of rows: keys lie as (R, K, E, W) then."""


@dataclass(frozen=True)
class Buffers:
    """What the layers of a step hand on. Views are made once, not in every layer of every step."""

    x: Tensor
    """(L, D) the residual stream."""
    normal: Tensor
    """(L, D) its normalised copy."""
    joint: Tensor
    """(L, (H + 2 K) E) queries, keys and values as projected."""
    turned: Tensor
    """(L, H + K, E) queries and keys, rotated."""
    gate_up: Tensor
    """(L, 2 F)."""
    opened: Tensor
    """(L, F)."""

    @classmethod
    def make(cls, layer: LayerParts, *, lines: int, dtype: torch.dtype) -> "Buffers":
        """Buffers for layers like this one."""

        def empty(*shape: int) -> Tensor:
            return torch.empty(lines, *shape, dtype=dtype, device="cpu")

        size, inner = layer.down.out_features, layer.down.in_features
        width = layer.output.in_features // layer.heads
        heads = layer.heads + layer.kv_heads
        return cls(
            empty(size),
            empty(size),
            empty((heads + layer.kv_heads) * width),
            empty(heads, width),
            empty(2 * inner),
            empty(inner),
        )


def norm_into(norm: RMSNorm, x: Tensor, out: Tensor) -> Work:
    """`modelry.nn.norm.rms_norm` of (L, D) into a buffer."""
    weight, eps, size = norm.weight.detach(), norm.eps, x.shape[1]
    narrow = x.dtype is not torch.float32
    wide = torch.empty(x.shape, device="cpu") if narrow else x
    if x.shape[0] > 1:
        floor = torch.full((1, 1), eps, device="cpu")

        def of_lines() -> None:
            if narrow:
                wide.copy_(x)
            lengths = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
            scales = torch.addcmul(floor, lengths, lengths, value=1 / size).rsqrt_()
            torch.mul(wide, scales, out=wide if narrow else out)
            if narrow:
                out.copy_(wide)
            out.mul_(weight)

        return of_lines
    row, result, wide_row = x.view(-1), out.view(-1), wide.view(-1)
    zeros = torch.zeros(size, dtype=x.dtype, device="cpu")

    def of_one_row() -> None:  # rounded once, where the published order rounds twice
        if narrow:
            wide_row.copy_(row)
        square = torch.dot(wide_row, wide_row).item()
        torch.addcmul(zeros, row, weight, value=(square / size + eps) ** -0.5, out=result)

    return of_one_row


def heads_in_place(norms: tuple[RMSNorm, RMSNorm], projected: Tensor, *, heads: int) -> Work:
    """`modelry.nn.norm.rms_norm` of each head's queries and keys, (L, H + K, E), where they lie."""
    queries, keys = norms
    _, both, size = projected.shape
    weights = torch.cat((queries.weight.detach().expand(heads, size), keys.weight.detach().expand(both - heads, size)))
    eps = torch.cat((weights.new_full((heads, 1), queries.eps), weights.new_full((both - heads, 1), keys.eps))).float()

    def in_place() -> None:
        scales = projected.float().square().mean(-1, keepdim=True).add_(eps).rsqrt_()
        torch.mul(projected, scales, out=projected)
        projected.mul_(weights)

    return in_place


def layer_step(
    layer: LayerParts, buffers: Buffers, *, rows: int, rotated: int
) -> Callable[[Tensor, Tensor, Moment], None]:
    """One layer, changing `buffers.x`.

    Args:
        rows: R.
        rotated: N.

    Returns:
        What takes the layer's buffers of keys and values (R, K, W, E), writes the new positions, and runs the layer.
    """
    x, normal, half = buffers.x, buffers.normal, rotated // 2
    lines, heads, kv_heads, scale, attend = x.shape[0], layer.heads, layer.kv_heads, layer.scale, layer.attend
    new = lines // rows
    every = buffers.joint.view(lines, heads + 2 * kv_heads, -1)
    unturned = every[:, : heads + kv_heads]
    first, second = unturned[..., :half], unturned[..., half:rotated]
    turned = buffers.turned
    turned_first, turned_second = turned[..., :half], turned[..., half:rotated]
    by_rows = turned.view(rows, new, heads + kv_heads, -1).transpose(1, 2)  # (R, H + K, T, E)
    queries, fresh_keys = by_rows[:, :heads], by_rows[:, heads:]
    fresh_values = every.view(rows, new, heads + 2 * kv_heads, -1)[:, :, heads + kv_heads :].transpose(1, 2)
    folded = turned[:, :heads].view(lines, kv_heads, heads // kv_heads, turned.shape[2])
    gate, up = buffers.gate_up.chunk(2, dim=1)
    opened, act = buffers.opened, layer.act
    merged = torch.empty(lines, layer.output.in_features, dtype=x.dtype, device="cpu")
    merged_heads = merged.view(lines, kv_heads, -1, turned.shape[2])
    merged_rows = merged.view(rows, new, heads, -1).transpose(1, 2)
    normalise = norm_into(layer.attention_norm, x, normal)
    project = product_into(layer.query_key_value, normal, buffers.joint)
    add_attention = product_onto(layer.output, merged, x)
    normalise_heads = None if layer.head_norms is None else heads_in_place(layer.head_norms, unturned, heads=heads)
    normalise_again = norm_into(layer.mlp_norm, x, normal)
    widen = product_into(layer.gate_up, normal, buffers.gate_up)
    add_mlp = product_onto(layer.down, opened, x)
    alone = lines == 1 and attend is sdpa_attention
    folded_row, merged_row = folded[0], merged_heads[0]
    found, rows_held = merged.view(lines * heads, -1), Held()
    held: list[Tensor] = [x, x, x]

    def step(keys: Tensor, values: Tensor, now: Moment) -> None:
        normalise()
        project()
        if normalise_heads is not None:
            normalise_heads()
        torch.mul(unturned, now.cos, out=turned)
        turned_first.addcmul_(second, now.sin_of_first)
        turned_second.addcmul_(first, now.sin_of_second)
        keys.narrow(2, now.slot, new).copy_(fresh_keys)
        values.narrow(2, now.slot, new).copy_(fresh_values)
        if now.bags is not None:
            found.copy_(attended_by_bags(folded, rows_held.of(keys, values), now.added, now.bags, scale=scale))
        elif alone and now.added is not None:
            if held[0] is not keys:  # a buffer serves many steps
                held[:] = keys, keys[0].transpose(1, 2), values[0]
            attended_by_one(folded_row, held[1], held[2], now.added, scale=scale, out=merged_row)
        elif alone and now.mask is None:
            mixed = _attend_on_cpu(folded, keys, values, 0.0, False, attn_mask=now.tail, scale=scale)[0]
            merged_heads.copy_(mixed)
        else:
            mask = Mask(now.tail == 0) if now.mask is None else now.mask
            merged_rows.copy_(attend(queries, keys, values, mask, scale=scale))
        add_attention()
        normalise_again()
        widen()
        torch.mul(act(gate), up, out=opened)
        add_mlp()

    return step
