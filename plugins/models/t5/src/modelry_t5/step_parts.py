"""What one decode step of T5 does, for the kernel's prepared step: the decoder's layers as plain data.

N distances   H num_heads
"""

from functools import partial
from typing import Any

from torch import Tensor, nn

from modelry.inference.answer_parts import AnswerLayerParts, AnswerParts, BlockParts, has_tensors
from modelry.nn.linear import Linear
from modelry.nn.relative_positions import distance_buckets
from modelry_t5.layers import (
    T5Attention,
    T5Block,
    T5Dense,
    T5LayerCrossAttention,
    T5LayerFF,
    T5LayerNorm,
    T5LayerSelfAttention,
    T5Output,
)

_PROJECTIONS = {"q", "k", "v", "o"}


def step_parts(decoder: Any, scored: Any) -> AnswerParts | None:
    """The parts of a T5Decoder; None where somebody has changed one, or where what they add up leaves their dtype.

    Args:
        scored: states (B, T, D) to scores (B, T, V).
    """
    config = decoder.config
    if set(decoder._modules) != {"embed_tokens", "block", "final_layer_norm", "dropout"} or has_tensors(decoder):
        return None
    layers = [_layer(block, first=place == 0) for place, block in enumerate(decoder.block)]
    known = tuple(layer for layer in layers if layer is not None)
    if len(known) != len(layers) or type(decoder.final_layer_norm) is not T5LayerNorm:
        return None
    table: nn.Embedding = decoder.block[0].layer[0].SelfAttention.relative_attention_bias
    buckets = partial(
        distance_buckets,
        buckets=config.relative_attention_num_buckets,
        most=config.relative_attention_max_distance,
        both_ways=False,
    )

    def embedded(ids: Tensor, positions: Tensor) -> Tensor:
        x: Tensor = decoder.embed_tokens(ids)
        return x

    def bias(distances: Tensor) -> Tensor:
        found: Tensor = table(buckets(distances))  # (N, H)
        return found

    return AnswerParts(known, embedded, decoder.final_layer_norm, scored, bias=bias)


def _layer(block: nn.Module, *, first: bool) -> AnswerLayerParts | None:
    if type(block) is not T5Block or set(block._modules) != {"layer"} or block.biased != first or has_tensors(block):
        return None
    kinds: tuple[type[nn.Module], ...] = (T5LayerSelfAttention, T5LayerCrossAttention, T5LayerFF)
    names = ("SelfAttention", "EncDecAttention", "DenseReluDense")
    parts: list[Any] = list(block.layer)
    if len(parts) != len(kinds):
        return None
    for part, kind, name in zip(parts, kinds, names, strict=True):
        if type(part) is not kind or set(part._modules) != {name, "layer_norm", "dropout"} or has_tensors(part):
            return None
        if type(part.layer_norm) is not T5LayerNorm:
            return None
    own, look, dense = (getattr(part, name) for part, name in zip(parts, names, strict=True))
    wanted = {"wi_0", "wi_1"} if getattr(dense, "gated", False) else {"wi"}
    if type(dense) is not T5Dense or set(dense._modules) - {"act"} != {*wanted, "wo", "dropout"} or has_tensors(dense):
        return None
    for attention, more in ((own, {"relative_attention_bias"} if first else set[str]()), (look, set[str]())):
        if type(attention) is not T5Attention or set(attention._modules) != _PROJECTIONS | more:
            return None
        if has_tensors(attention):
            return None
    narrow = _plain(dense.wo, parts[2].layer_norm)
    if narrow is None:
        return None
    return AnswerLayerParts(
        BlockParts(parts[0].layer_norm, (own.q, own.k, own.v), own.o, own.attend, own.heads, 1.0),
        BlockParts(parts[1].layer_norm, (look.q,), look.o, look.attend, look.heads, 1.0),
        parts[2].layer_norm,
        (dense.wi_0, dense.wi_1) if dense.gated else (dense.wi,),
        narrow,
        dense.act,
        norm_first=True,
    )


def _plain(output: nn.Linear, norm: T5LayerNorm) -> nn.Linear | None:
    """A layer as one that changes no dtype, over the same weight; None where it does change it, in float16."""
    if type(output) is not T5Output:
        return output
    if output.weight.dtype is not norm.weight.dtype:
        return None
    plain = Linear(output.in_features, output.out_features, bias=False, device="meta")
    plain.weight = output.weight
    return plain
