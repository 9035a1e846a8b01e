"""What each GGUF architecture is called in the published format, tensor by tensor. A new family is a new table here.

`{layer}` stands for the number of a layer. Names on the left:
https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py; on the right: the published checkpoints'.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelry.errors import CheckpointError

_LAYER = re.compile(r"blk\.(0|[1-9][0-9]{0,8})\.")

_DECODER = {
    "token_embd.weight": "model.embed_tokens.weight",
    "blk.{layer}.attn_norm.weight": "model.layers.{layer}.input_layernorm.weight",
    "blk.{layer}.attn_q.weight": "model.layers.{layer}.self_attn.q_proj.weight",
    "blk.{layer}.attn_k.weight": "model.layers.{layer}.self_attn.k_proj.weight",
    "blk.{layer}.attn_v.weight": "model.layers.{layer}.self_attn.v_proj.weight",
    "blk.{layer}.attn_output.weight": "model.layers.{layer}.self_attn.o_proj.weight",
    "blk.{layer}.ffn_norm.weight": "model.layers.{layer}.post_attention_layernorm.weight",
    "blk.{layer}.ffn_gate.weight": "model.layers.{layer}.mlp.gate_proj.weight",
    "blk.{layer}.ffn_up.weight": "model.layers.{layer}.mlp.up_proj.weight",
    "blk.{layer}.ffn_down.weight": "model.layers.{layer}.mlp.down_proj.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INPUT_BIASES = {
    "blk.{layer}.attn_q.bias": "model.layers.{layer}.self_attn.q_proj.bias",
    "blk.{layer}.attn_k.bias": "model.layers.{layer}.self_attn.k_proj.bias",
    "blk.{layer}.attn_v.bias": "model.layers.{layer}.self_attn.v_proj.bias",
}
_OUTPUT_BIASES = {
    "blk.{layer}.attn_output.bias": "model.layers.{layer}.self_attn.o_proj.bias",
    "blk.{layer}.ffn_gate.bias": "model.layers.{layer}.mlp.gate_proj.bias",
    "blk.{layer}.ffn_up.bias": "model.layers.{layer}.mlp.up_proj.bias",
    "blk.{layer}.ffn_down.bias": "model.layers.{layer}.mlp.down_proj.bias",
}
_HEAD_NORMS = {
    "blk.{layer}.attn_q_norm.weight": "model.layers.{layer}.self_attn.q_norm.weight",
    "blk.{layer}.attn_k_norm.weight": "model.layers.{layer}.self_attn.k_norm.weight",
}


@dataclass(frozen=True)
class Architecture:
    """One value of general.architecture."""

    name: str
    model_type: str
    model_class: str
    """What `architectures` in config.json says."""
    tensors: Mapping[str, str]
    paired_rotary: bool = False
    """True where the file keeps the two numbers that rotate together side by side, and the published layout keeps them
    half a head apart: the rows of attn_q and attn_k change places (see `rotary_halves` in reader)."""
    optional_biases: bool = False
    """True where config.json says whether there are biases (attention_bias, mlp_bias)."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """config.json values that the metadata do not hold."""

    def published_name(self, stored: str, *, layers: int, where: str) -> str:
        """The published name of the tensor `stored`.

        Raises:
            CheckpointError: the architecture has no such tensor, or no such layer.
        """
        match = _LAYER.match(stored)
        pattern = f"blk.{{layer}}.{stored[match.end() :]}" if match else stored
        if pattern not in self.tensors or "{layer}" in stored:
            raise CheckpointError(
                f"{where}: tensor {stored!r} is none of architecture {self.name!r}. "
                "The file holds a variant of it that Modelry does not know."
            )
        layer = match.group(1) if match else ""
        if layer and int(layer) >= layers:
            raise CheckpointError(f"{where}: {stored!r} is of layer {layer}; {self.name}.block_count is {layers}.")
        return self.tensors[pattern].replace("{layer}", layer)


ARCHITECTURES: dict[str, Architecture] = {
    one.name: one
    for one in (
        Architecture(
            "llama",
            "llama",
            "LlamaForCausalLM",
            _DECODER | _INPUT_BIASES | _OUTPUT_BIASES,
            paired_rotary=True,
            optional_biases=True,
            fixed={"hidden_act": "silu"},
        ),
        Architecture(
            "qwen2",
            "qwen2",
            "Qwen2ForCausalLM",
            _DECODER | _INPUT_BIASES,
            fixed={"hidden_act": "silu", "use_sliding_window": False},
        ),
        Architecture(
            "qwen3",
            "qwen3",
            "Qwen3ForCausalLM",
            _DECODER | _HEAD_NORMS,
            fixed={"hidden_act": "silu", "use_sliding_window": False, "attention_bias": False},
        ),
    )
}

ROTARY_TENSORS = frozenset({"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
"""Not weights: they say how positions are scaled, and become part of config.json (see rotary)."""


def architecture(name: str | None, where: str) -> Architecture:
    """The table of one architecture.

    Raises:
        CheckpointError: the file names none, or one that is not in the table.
    """
    if name is None:
        raise CheckpointError(f"{where}: the metadata has no general.architecture. Convert the model again.")
    if name not in ARCHITECTURES:
        raise CheckpointError(
            f"{where} holds a model of architecture {name[:100]!r}; this reader knows "
            f"{', '.join(sorted(ARCHITECTURES))}. Load the original safetensors checkpoint instead."
        )
    return ARCHITECTURES[name]
