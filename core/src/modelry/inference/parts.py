"""Recognising a decoder: which modules of a finished model do what, where all of them are bricks of the kernel.

Names of modules are the published ones. A model with a part more, a part fewer, a part that somebody has replaced, or a
hook is not recognised; its own forward is then what runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules import module as torch_modules

from modelry.heads.causal_lm import CausalLM
from modelry.nn.activations import Activation
from modelry.nn.attention import Attend
from modelry.nn.mlp import GatedMLP
from modelry.nn.norm import RMSNorm
from modelry.nn.rope import RotaryEmbedding

_BASE = {"embed_tokens", "layers", "norm", "rotary_emb"}
_LAYER = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_HEAD_NORMS = {"q_norm", "k_norm"}


@dataclass(frozen=True)
class LayerParts:
    """One layer: attention, then a gated MLP, each on a normalised copy of the residual stream."""

    attention_norm: RMSNorm
    query_key_value: tuple[nn.Linear, nn.Linear, nn.Linear]
    output: nn.Linear
    mlp_norm: RMSNorm
    gate_up: tuple[nn.Linear, nn.Linear]
    down: nn.Linear
    act: Activation
    attend: Attend
    heads: int
    kv_heads: int
    scale: float
    head_norms: tuple[RMSNorm, RMSNorm] | None
    """Of each head's queries and keys, before they are rotated."""


@dataclass(frozen=True)
class DecoderParts:
    """A whole decoder and the projection onto its vocabulary."""

    embedding: nn.Module
    layers: tuple[LayerParts, ...]
    norm: RMSNorm
    rotary: RotaryEmbedding
    head: nn.Module
    windows: tuple[int | None, ...]
    """Positions that each layer sees, None for all."""


def decoder_parts(model: nn.Module) -> DecoderParts | None:
    """The parts of a model that is made of bricks only, stands on the CPU, and is not in training; else None."""
    if not isinstance(model, CausalLM) or type(model).forward is not CausalLM.forward or not is_untouched(model):
        return None
    config = model.config
    base = model.base_model
    wanted = config.output_hidden_states or config.output_attentions
    if wanted or base is model or set(model._modules) != {model.base_model_prefix, "lm_head"}:
        return None
    parts = base._modules
    norm, rotary, stack = parts.get("norm"), parts.get("rotary_emb"), parts.get("layers")
    if set(parts) != _BASE or base._parameters or base._buffers or not isinstance(stack, nn.ModuleList):
        return None
    if type(norm) is not RMSNorm or type(rotary) is not RotaryEmbedding:
        return None
    layers = [_layer_parts(layer) for layer in stack]
    known = tuple(layer for layer in layers if layer is not None)
    if len(known) != len(layers) or not known:
        return None
    embedding, head = cast(nn.Module, parts["embed_tokens"]), model.lm_head
    weights: list[Tensor] = [
        norm.weight,
        *(one.weight for layer in known for one in (layer.attention_norm, layer.mlp_norm, *(layer.head_norms or ()))),
    ]
    if type(embedding) is nn.Embedding:
        weights.append(embedding.weight)
    if len({weight.dtype for weight in weights}) > 1:
        return None
    windows: tuple[int | None, ...] = base.__dict__.get("windows") or (None,) * len(known)
    return DecoderParts(embedding, known, norm, rotary, head, windows)


def _layer_parts(layer: nn.Module) -> LayerParts | None:
    parts = layer._modules
    if set(parts) != _LAYER or _has_tensors(layer):
        return None
    attention, mlp = cast(nn.Module, parts["self_attn"]), parts["mlp"]
    first, second = parts["input_layernorm"], parts["post_attention_layernorm"]
    if type(mlp) is not GatedMLP or type(first) is not RMSNorm or type(second) is not RMSNorm:
        return None
    if set(attention._modules) not in (_ATTENTION, _ATTENTION | _HEAD_NORMS) or _has_tensors(attention):
        return None
    head_norms = [attention._modules[name] for name in ("q_norm", "k_norm") if name in attention._modules]
    if not all(type(one) is RMSNorm for one in head_norms):
        return None
    said: Any = attention.__dict__
    if not {"heads", "kv_heads", "scale", "attend"} <= said.keys():
        return None
    q, k, v, o = (attention._modules[name] for name in ("q_proj", "k_proj", "v_proj", "o_proj"))
    gate, up, down = mlp.gate_proj, mlp.up_proj, mlp.down_proj
    if not all(isinstance(one, nn.Linear) for one in (q, k, v, o, gate, up, down)):
        return None
    return LayerParts(
        attention_norm=first,
        query_key_value=cast(tuple[nn.Linear, nn.Linear, nn.Linear], (q, k, v)),
        output=cast(nn.Linear, o),
        mlp_norm=second,
        gate_up=(gate, up),
        down=down,
        act=mlp.act,
        attend=said["attend"],
        heads=said["heads"],
        kv_heads=said["kv_heads"],
        scale=said["scale"],
        head_norms=cast(tuple[RMSNorm, RMSNorm], tuple(head_norms)) if head_norms else None,
    )


def _has_tensors(module: nn.Module) -> bool:
    return bool(module._parameters or module._buffers)


def is_untouched(model: nn.Module) -> bool:
    """Whether nothing stands between the modules and their own forward, and everything is on the CPU."""
    if torch_modules._global_forward_hooks or torch_modules._global_forward_pre_hooks:
        return False
    for module in model.modules():
        changed = module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__
        if changed or module.training or not _on_cpu(module._parameters.values()):
            return False
        if not _on_cpu(module._buffers.values()):
            return False
    return True


def _on_cpu(tensors: Iterable[Any]) -> bool:
    return all(tensor is None or tensor.is_cpu for tensor in tensors)
