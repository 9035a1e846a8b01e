"""Recognising the decoder of an encoder-decoder: which modules of a finished model do what.

What holds for decoders alone (`parts.py`) holds here: a part more, a part fewer, one that is replaced, or a hook, and
the model's own forward is what runs. Decoders of the BART line are known here; a family with layers of its own says in
`step_parts` what they are made of.

R rows   D width of the residual stream   F width inside the MLP   H heads   N distances   V vocabulary
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from modelry.heads.decoder_lm import DecoderLM
from modelry.heads.seq2seq_stacks import TextDecoder
from modelry.inference.parts import is_untouched
from modelry.model import PreTrainedModel
from modelry.nn.activations import Activation
from modelry.nn.attention import Attend
from modelry.nn.encoder_decoder import CrossAttention, DecoderLayer, SelfAttention
from modelry.nn.norm import RMSNorm

_DECODER = {"embed_tokens", "embed_positions", "layernorm_embedding", "layer_norm", "dropout", "layers"}
_LAYER = {
    "self_attn", "self_attn_layer_norm", "encoder_attn", "encoder_attn_layer_norm", "fc1", "fc2", "final_layer_norm",
    "dropout", "inner_dropout",
}  # fmt: skip
_ATTENTION = {"q_proj", "k_proj", "v_proj", "out_proj"}

Norm = nn.LayerNorm | RMSNorm


@dataclass(frozen=True)
class BlockParts:
    """Attention beside the residual stream."""

    norm: Norm
    inputs: tuple[nn.Linear, ...]
    """What makes queries, keys and values; of attention to an encoder's output, queries alone."""
    output: nn.Linear
    attend: Attend
    heads: int
    scale: float


@dataclass(frozen=True)
class AnswerLayerParts:
    """One layer: attention to the text, attention to the encoder's output, and an MLP."""

    own: BlockParts
    look: BlockParts
    mlp_norm: Norm
    widen: tuple[nn.Linear, ...]
    """One; or the gate and what it opens."""
    narrow: nn.Linear
    act: Activation
    norm_first: bool
    """Normalise what enters a block, and not the sum behind it."""

    def linears(self) -> tuple[nn.Linear, ...]:
        """All of them."""
        return (*self.own.inputs, self.own.output, *self.look.inputs, self.look.output, *self.widen, self.narrow)

    def norms(self) -> tuple[Norm, ...]:
        """All of them."""
        return (self.own.norm, self.look.norm, self.mlp_norm)


@dataclass(frozen=True)
class AnswerParts:
    """A whole decoder that looks at an encoder's output, and what makes scores of its states."""

    layers: tuple[AnswerLayerParts, ...]
    embedded: Callable[[Tensor, Tensor], Tensor]
    """Ids (R, 1) and positions (R or 1, 1) to vectors (R, 1, D)."""
    norm: Norm | None
    """Behind the last layer."""
    scored: Callable[[Tensor], Tensor]
    """States (R, 1, D) to scores (R, 1, V)."""
    positions: int | None = None
    """That the decoder may count; None: any number."""
    bias: Callable[[Tensor], Tensor] | None = None
    """Distances (N,) of keys from their query, 0 and less, to what is added to the scores of each head, (N, H)."""


def answer_parts(model: nn.Module) -> AnswerParts | None:
    """The parts of a model whose decoder is known, on the CPU and not in training; else None."""
    if not isinstance(model, PreTrainedModel) or not _scores_states(type(model)) or not is_untouched(model):
        return None
    if model.config.output_hidden_states or model.config.output_attentions:
        return None
    told: Callable[[], AnswerParts | None] | None = getattr(model, "step_parts", None)
    found = _of_the_bart_line(model) if told is None else told()
    return found if found is not None and _are_known(found) else None


def _are_known(parts: AnswerParts) -> bool:
    """Whether nobody has wrapped or replaced a layer, and the norms agree about the dtype of the stream."""
    norms = [norm for layer in parts.layers for norm in layer.norms()] + ([] if parts.norm is None else [parts.norm])
    linears = [one for layer in parts.layers for one in layer.linears()]
    weights: list[Tensor] = [norm.weight for norm in norms]
    return (
        bool(parts.layers)
        and all(isinstance(one, nn.Linear) for one in linears)
        and all(type(one) is nn.LayerNorm or isinstance(one, RMSNorm) for one in norms)
        and all(one.dtype is weights[0].dtype for one in weights)
    )


def _of_the_bart_line(model: PreTrainedModel) -> AnswerParts | None:
    said: Any = model
    decoder = said if isinstance(said, DecoderLM) else said.get_decoder()
    if isinstance(decoder, DecoderLM):  # of a model that is made of two others; its own head then makes the scores
        if decoder is not said and type(decoder).forward is not DecoderLM.forward:
            return None
        decoder = decoder.get_decoder()
    if not isinstance(decoder, TextDecoder) or type(decoder).forward is not TextDecoder.forward:
        return None
    parts, config = decoder._modules, decoder.config
    asked = config.output_hidden_states or config.output_attentions
    if asked or not set(parts) <= _DECODER or decoder._parameters or decoder._buffers:
        return None
    norm, stack = parts.get("layer_norm"), parts.get("layers")
    if not isinstance(stack, nn.ModuleList) or type(norm) not in (nn.LayerNorm, type(None)):
        return None
    if not all(_is_known(layer) for layer in stack):
        return None
    layers = tuple(_layer_parts(layer) for layer in cast(tuple[DecoderLayer, ...], tuple(stack)))
    between = decoder.layernorm_embedding
    if type(between) is nn.LayerNorm and any(one.own.norm.weight.dtype is not between.weight.dtype for one in layers):
        return None

    def embedded(ids: Tensor, positions: Tensor) -> Tensor:
        tokens = decoder.embed_tokens(ids)
        x: Tensor = decoder.layernorm_embedding(tokens + decoder.embed_positions(positions).to(tokens.dtype))
        return x

    limit: int = config.max_position_embeddings
    return AnswerParts(layers, embedded, cast(nn.LayerNorm | None, norm), said.scored, limit)


def _scores_states(kind: type[nn.Module]) -> bool:
    """Whether the class says in `scored` how its forward makes scores of states, and no heir has another forward."""
    saying = [one for one in kind.__mro__ if "scored" in one.__dict__]
    running = next(one for one in kind.__mro__ if "forward" in one.__dict__)
    return bool(saying) and (running in saying or issubclass(saying[-1], running))


def _is_known(layer: nn.Module) -> bool:
    if type(layer) is not DecoderLayer or set(layer._modules) != _LAYER or has_tensors(layer):
        return False
    attentions = (layer.self_attn, layer.encoder_attn)
    if type(layer.self_attn) is not SelfAttention or type(layer.encoder_attn) is not CrossAttention:
        return False
    return not any(set(one._modules) != _ATTENTION or has_tensors(one) for one in attentions)


def _layer_parts(layer: DecoderLayer) -> AnswerLayerParts:
    own, look = layer.self_attn, layer.encoder_attn
    return AnswerLayerParts(
        BlockParts(
            layer.self_attn_layer_norm,
            (own.q_proj, own.k_proj, own.v_proj),
            own.out_proj,
            own.attend,
            own.heads,
            own.scale,
        ),
        BlockParts(layer.encoder_attn_layer_norm, (look.q_proj,), look.out_proj, look.attend, look.heads, look.scale),
        layer.final_layer_norm,
        (layer.fc1,),
        layer.fc2,
        layer.act,
        layer.norm_first,
    )


def has_tensors(module: nn.Module) -> bool:
    """Whether a module holds more than its parts."""
    return bool(module._parameters or module._buffers)
