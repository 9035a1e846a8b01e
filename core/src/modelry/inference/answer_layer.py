"""One layer of one decode step of a decoder that looks at an encoder's output, between buffers that all layers share.

R rows   W keys offered   S positions of the encoder's output   D width of the residual stream   F width inside the MLP
H heads   E head width   I all heads together   C rows that share an encoder's output
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.cache.buffers import lies_turned
from modelry.inference.answer_parts import AnswerLayerParts, BlockParts, Norm
from modelry.inference.layer_step import norm_into
from modelry.inference.products import Work, product_into, product_onto
from modelry.nn.attention import Attend
from modelry.nn.bag_attention import Bags, Held, attended_by_bags
from modelry.nn.masks import Mask
from modelry.nn.norm import RMSNorm
from modelry.nn.product_attention import attended, takes_products
from modelry.nn.sdpa import sdpa_attention

_attend_on_cpu = torch._scaled_dot_product_flash_attention_for_cpu


class AnswerMoment(NamedTuple):
    """What is the same for all layers of one step."""

    slot: int
    """Where the new position's keys and values go."""
    tail: Tensor
    """(1, 1 or H, 1, W): -inf in slots behind the new one; elsewhere 0, or what is added for their distance."""
    forbidden: Tensor | None
    """(R / C, 1, 1, S): -inf at padding of the encoder's output, 0 elsewhere; None where nothing is padded."""
    copies: int
    """C."""
    own_bags: Bags | None
    """Where a text is attended to by sums of rows: its keys lie turned, and `tail` is in the model's dtype then."""
    look_bags: Bags | None
    """The same of the encoder's output."""


@dataclass(frozen=True)
class AnswerBuffers:
    """What the layers of a step hand on."""

    x: Tensor
    """(R, D) the residual stream."""
    normal: Tensor
    """(R, D) its normalised copy."""
    joint: Tensor
    """(R, 3 I) queries, keys and values of the text."""
    query: Tensor
    """(R, I) queries about the encoder's output."""
    mixed: Tensor
    """(R, I) what attention gives."""
    wide: Tensor
    """(R, F), or (R, 2 F) where there is a gate."""
    inner: Tensor
    """(R, F)."""

    @classmethod
    def make(cls, layer: AnswerLayerParts, *, rows: int) -> "AnswerBuffers":
        """Buffers for layers like this one."""
        size, every, inner = layer.narrow.out_features, layer.own.output.in_features, layer.narrow.in_features
        widths = (size, size, 3 * every, every, every, len(layer.widen) * inner, inner)
        dtype = layer.own.norm.weight.dtype
        return cls(*(torch.empty(rows, width, dtype=dtype, device="cpu") for width in widths))


AnswerLayer = Callable[[tuple[Tensor, Tensor], tuple[Tensor, Tensor], AnswerMoment], None]
"""Takes the buffers of keys and values of the text, (R, H, W, E), and those of the encoder's output, (R, H, S, E);
writes the new position, and runs the layer."""


def answer_layer(layer: AnswerLayerParts, buffers: AnswerBuffers) -> AnswerLayer:
    """One layer, changing `buffers.x`."""
    own, act = layer.own, layer.act
    rows, heads = buffers.x.shape[0], own.heads
    every = buffers.joint.view(rows, 3, heads, 1, -1)
    queries, fresh_keys, fresh_values = every[:, 0], every[:, 1, :, 0], every[:, 2, :, 0]
    wide, inner, mixed = buffers.wide, buffers.inner, buffers.mixed
    begin_own, end_own, read = _around(own.norm, buffers, norm_first=layer.norm_first)
    project = product_into(own.inputs, read, buffers.joint)
    add_own = product_onto(own.output, mixed, buffers.x)
    look = _looking(layer.look, buffers, norm_first=layer.norm_first)
    begin_mlp, end_mlp, read = _around(layer.mlp_norm, buffers, norm_first=layer.norm_first)
    widen = product_into(layer.widen, read, wide)
    add_mlp = product_onto(layer.narrow, inner, buffers.x)
    gate, up = wide.chunk(2, dim=1) if len(layer.widen) > 1 else (wide, None)
    held = Held()

    def step(text: tuple[Tensor, Tensor], source: tuple[Tensor, Tensor], now: AnswerMoment) -> None:
        keys, values = text
        begin_own()
        project()
        keys.select(2, now.slot).copy_(fresh_keys)
        values.select(2, now.slot).copy_(fresh_values)
        if now.own_bags is None:
            mixed.copy_(_attended(own.attend, queries, keys, values, now.tail, scale=own.scale))
        else:
            sums = attended_by_bags(queries, held.of(keys, values), now.tail, now.own_bags, scale=own.scale)
            mixed.view(sums.shape).copy_(sums)
        add_own()
        end_own()
        look(source, now)
        begin_mlp()
        widen()
        if up is None:
            inner.copy_(act(gate))
        else:
            torch.mul(act(gate), up, out=inner)
        add_mlp()
        end_mlp()

    return step


def _looking(
    block: BlockParts, buffers: AnswerBuffers, *, norm_first: bool
) -> Callable[[tuple[Tensor, Tensor], AnswerMoment], None]:
    """The block in between, which looks at the encoder's output. Rows that share one read it together."""
    begin, end, read = _around(block.norm, buffers, norm_first=norm_first)
    project = product_into(block.inputs, read, buffers.query)
    add = product_onto(block.output, buffers.mixed, buffers.x)
    query, mixed, heads, held = buffers.query, buffers.mixed, block.heads, Held()
    rows, size = query.shape

    def look(source: tuple[Tensor, Tensor], now: AnswerMoment) -> None:
        begin()
        project()
        copies, (keys, values) = now.copies, source
        queries = query.view(rows // copies, copies, heads, size // heads).transpose(1, 2)
        if now.look_bags is not None:
            sums = attended_by_bags(queries, held.of(keys, values), now.forbidden, now.look_bags, scale=block.scale)
            mixed.view(rows // copies, copies, heads, -1).copy_(sums.view(queries.shape).transpose(1, 2))
        else:
            if copies > 1:
                keys, values = keys[::copies], values[::copies]
            mixed.copy_(_attended(block.attend, queries, keys, values, now.forbidden, scale=block.scale))
        add()
        end()

    return look


def _attended(attend: Attend, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, *, scale: float) -> Tensor:
    """(R, D) what queries (R / C, H, C, E) find in keys and values (R / C, H, W, E).

    Args:
        added: (R / C or 1, 1 or H, 1, W), to the scores.
    """
    if takes_products(q, k) and attend is sdpa_attention:
        found = attended(q, k, v, added, scale=scale)
    elif attend is sdpa_attention:
        k = k.contiguous() if lies_turned(k) else k
        found = _attend_on_cpu(q, k, v, 0.0, False, attn_mask=added, scale=scale)[0]
    else:
        mask = Mask() if added is None else Mask(added == 0) if added.shape[1] == 1 else Mask(bias=added)
        found = attend(q, k, v, mask, scale=scale)
    return found.transpose(1, 2).reshape(q.shape[0] * q.shape[2], -1)


def _nothing() -> None:
    """Where a block has no norm on this side."""


def _around(norm: Norm, buffers: AnswerBuffers, *, norm_first: bool) -> tuple[Work, Work, Tensor]:
    """What a block begins with, what it ends with, and the buffer that it reads."""
    into = buffers.normal if norm_first else buffers.x
    normalise = normed_into(norm, buffers.x, into)
    return (normalise, _nothing, into) if norm_first else (_nothing, normalise, into)


def normed_into(norm: Norm, x: Tensor, out: Tensor) -> Work:
    """A norm of (R, D) into a buffer, which may be the same."""
    if isinstance(norm, RMSNorm):
        return norm_into(norm, x, out)
    size, weight, bias, eps = norm.normalized_shape, norm.weight, norm.bias, norm.eps
    return lambda: out.copy_(F.layer_norm(x, size, weight, bias, eps))
