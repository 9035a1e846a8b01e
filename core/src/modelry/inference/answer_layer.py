"""One layer of one decode step of a decoder that looks at an encoder's output, between buffers that all layers share.

R rows   W keys offered   S positions of the encoder's output   D width of the residual stream   F width inside the MLP
H heads   E head width   C rows that share an encoder's output
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.inference.products import Work, product_into, product_onto
from modelry.nn.attention import Attend
from modelry.nn.encoder_decoder import CrossAttention, DecoderLayer
from modelry.nn.masks import Mask
from modelry.nn.sdpa import sdpa_attention

_attend_on_cpu = torch._scaled_dot_product_flash_attention_for_cpu


class AnswerMoment(NamedTuple):
    """What is the same for all layers of one step."""

    slot: int
    """Where the new position's keys and values go."""
    tail: Tensor
    """(1, 1, 1, W): -inf in slots behind the new one, 0 elsewhere."""
    forbidden: Tensor | None
    """(R / C, 1, 1, S): -inf at padding of the encoder's output, 0 elsewhere; None where nothing is padded."""
    copies: int
    """C."""


@dataclass(frozen=True)
class AnswerBuffers:
    """What the layers of a step hand on."""

    x: Tensor
    """(R, D) the residual stream."""
    normal: Tensor
    """(R, D) its normalised copy."""
    joint: Tensor
    """(R, 3 D) queries, keys and values of the text."""
    query: Tensor
    """(R, D) queries about the encoder's output."""
    mixed: Tensor
    """(R, D) what attention gives."""
    inner: Tensor
    """(R, F)."""

    @classmethod
    def make(cls, layer: DecoderLayer, *, rows: int, dtype: torch.dtype) -> "AnswerBuffers":
        """Buffers for layers like this one."""
        size, inner = layer.fc1.in_features, layer.fc1.out_features
        widths = (size, size, 3 * size, size, size, inner)
        return cls(*(torch.empty(rows, width, dtype=dtype, device="cpu") for width in widths))


AnswerLayer = Callable[[tuple[Tensor, Tensor], tuple[Tensor, Tensor], AnswerMoment], None]
"""Takes the buffers of keys and values of the text, (R, H, W, E), and those of the encoder's output, (R, H, S, E);
writes the new position, and runs the layer."""


def answer_layer(layer: DecoderLayer, buffers: AnswerBuffers) -> AnswerLayer:
    """One layer, changing `buffers.x`."""
    own = layer.self_attn
    rows, heads, act = buffers.x.shape[0], own.heads, layer.act
    every = buffers.joint.view(rows, 3, heads, 1, -1)
    queries, fresh_keys, fresh_values = every[:, 0], every[:, 1, :, 0], every[:, 2, :, 0]
    inner, mixed = buffers.inner, buffers.mixed
    begin_own, end_own, read = _around(layer.self_attn_layer_norm, buffers, norm_first=layer.norm_first)
    project = product_into((own.q_proj, own.k_proj, own.v_proj), read, buffers.joint)
    add_own = product_onto(own.out_proj, mixed, buffers.x)
    look = _looking(layer.encoder_attn, layer.encoder_attn_layer_norm, buffers, norm_first=layer.norm_first)
    begin_mlp, end_mlp, read = _around(layer.final_layer_norm, buffers, norm_first=layer.norm_first)
    widen = product_into((layer.fc1,), read, inner)
    add_mlp = product_onto(layer.fc2, inner, buffers.x)

    def step(text: tuple[Tensor, Tensor], source: tuple[Tensor, Tensor], now: AnswerMoment) -> None:
        keys, values = text
        begin_own()
        project()
        keys.select(2, now.slot).copy_(fresh_keys)
        values.select(2, now.slot).copy_(fresh_values)
        mixed.copy_(_attended(own.attend, queries, keys, values, now.tail, scale=own.scale))
        add_own()
        end_own()
        look(source, now)
        begin_mlp()
        widen()
        inner.copy_(act(inner))
        add_mlp()
        end_mlp()

    return step


def _looking(
    attention: CrossAttention, norm: nn.LayerNorm, buffers: AnswerBuffers, *, norm_first: bool
) -> Callable[[tuple[Tensor, Tensor], AnswerMoment], None]:
    """The block in between, which looks at the encoder's output. Rows that share one read it together."""
    begin, end, read = _around(norm, buffers, norm_first=norm_first)
    project = product_into((attention.q_proj,), read, buffers.query)
    add = product_onto(attention.out_proj, buffers.mixed, buffers.x)
    query, mixed, heads = buffers.query, buffers.mixed, attention.heads
    rows, size = query.shape

    def look(source: tuple[Tensor, Tensor], now: AnswerMoment) -> None:
        begin()
        project()
        copies, (keys, values) = now.copies, source
        if copies > 1:
            keys, values = keys[::copies], values[::copies]
        queries = query.view(rows // copies, copies, heads, size // heads).transpose(1, 2)
        mixed.copy_(_attended(attention.attend, queries, keys, values, now.forbidden, scale=attention.scale))
        add()
        end()

    return look


def _attended(attend: Attend, q: Tensor, k: Tensor, v: Tensor, added: Tensor | None, *, scale: float) -> Tensor:
    """(R, D) what queries (R / C, H, C, E) find in keys and values (R / C, H, W, E).

    Args:
        added: (R / C or 1, 1, 1, W), to the scores.
    """
    if attend is sdpa_attention:
        found = _attend_on_cpu(q, k, v, 0.0, False, attn_mask=added, scale=scale)[0]
    else:
        found = attend(q, k, v, Mask(None if added is None else added == 0), scale=scale)
    return found.transpose(1, 2).reshape(q.shape[0] * q.shape[2], -1)


def _nothing() -> None:
    """Where a block has no norm on this side."""


def _around(norm: nn.LayerNorm, buffers: AnswerBuffers, *, norm_first: bool) -> tuple[Work, Work, Tensor]:
    """What a block begins with, what it ends with, and the buffer that it reads."""
    x, normal = buffers.x, buffers.normal
    size, weight, bias, eps = norm.normalized_shape, norm.weight, norm.bias, norm.eps
    into = normal if norm_first else x

    def normalise() -> None:
        into.copy_(F.layer_norm(x, size, weight, bias, eps))

    return (normalise, _nothing, normal) if norm_first else (_nothing, normalise, x)
