"""Recognising the decoder of an encoder-decoder of the BART line: which modules of a finished model do what.

What holds for decoders alone (`parts.py`) holds here: a part more, a part fewer, one that is replaced, or a hook, and
the model's own forward is what runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from modelry.heads.seq2seq_stacks import TextDecoder
from modelry.inference.parts import is_untouched
from modelry.model import PreTrainedModel
from modelry.nn.encoder_decoder import CrossAttention, DecoderLayer, SelfAttention

_DECODER = {"embed_tokens", "embed_positions", "layernorm_embedding", "layer_norm", "dropout", "layers"}
_LAYER = {
    "self_attn", "self_attn_layer_norm", "encoder_attn", "encoder_attn_layer_norm", "fc1", "fc2", "final_layer_norm",
    "dropout", "inner_dropout",
}  # fmt: skip
_ATTENTION = {"q_proj", "k_proj", "v_proj", "out_proj"}


@dataclass(frozen=True)
class AnswerParts:
    """A whole decoder that looks at an encoder's output, and what makes scores of its states."""

    decoder: TextDecoder
    layers: tuple[DecoderLayer, ...]
    norm: nn.LayerNorm | None
    """Behind the last layer."""
    scored: Callable[[Tensor], Tensor]
    """States (B, T, D) to scores (B, T, V)."""
    positions: int
    """That the decoder may count."""


def answer_parts(model: nn.Module) -> AnswerParts | None:
    """The parts of a model whose decoder is a plain `TextDecoder`, on the CPU and not in training; else None."""
    if not isinstance(model, PreTrainedModel) or not _scores_states(type(model)) or not is_untouched(model):
        return None
    said: Any = model
    decoder = said.get_decoder()
    if not isinstance(decoder, TextDecoder) or type(decoder).forward is not TextDecoder.forward:
        return None
    asked = [one for one in (model.config, decoder.config) if one.output_hidden_states or one.output_attentions]
    parts = decoder._modules
    if asked or not set(parts) <= _DECODER or decoder._parameters or decoder._buffers:
        return None
    norm, stack = parts.get("layer_norm"), parts.get("layers")
    if not isinstance(stack, nn.ModuleList) or not len(stack) or type(norm) not in (nn.LayerNorm, type(None)):
        return None
    if not all(_is_known(layer) for layer in stack):
        return None
    layers = cast(tuple[DecoderLayer, ...], tuple(stack))
    tensors = [one for module in decoder.modules() if type(module) is nn.LayerNorm for one in module.parameters()]
    if any(one.dtype is not tensors[0].dtype for one in tensors):
        return None
    limit: int = said.config.max_position_embeddings
    return AnswerParts(decoder, layers, cast(nn.LayerNorm | None, norm), said.scored, limit)


def _scores_states(kind: type[nn.Module]) -> bool:
    """Whether the class says in `scored` how its forward makes scores of states, and no heir has another forward."""
    saying = [one for one in kind.__mro__ if "scored" in one.__dict__]
    running = next(one for one in kind.__mro__ if "forward" in one.__dict__)
    return bool(saying) and (running is saying[-1] or issubclass(saying[-1], running))


def _is_known(layer: nn.Module) -> bool:
    if type(layer) is not DecoderLayer or set(layer._modules) != _LAYER or _has_tensors(layer):
        return False
    attentions = (layer.self_attn, layer.encoder_attn)
    if type(layer.self_attn) is not SelfAttention or type(layer.encoder_attn) is not CrossAttention:
        return False
    if any(set(one._modules) != _ATTENTION or _has_tensors(one) for one in attentions):
        return False
    linears = [layer.fc1, layer.fc2, *(part for one in attentions for part in one._modules.values())]
    norms = (layer.self_attn_layer_norm, layer.encoder_attn_layer_norm, layer.final_layer_norm)
    return all(isinstance(one, nn.Linear) for one in linears) and all(type(one) is nn.LayerNorm for one in norms)


def _has_tensors(module: nn.Module) -> bool:
    return bool(module._parameters or module._buffers)
