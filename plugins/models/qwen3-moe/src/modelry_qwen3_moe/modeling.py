"""Qwen3-MoE: Qwen3 with mixtures of experts in place of MLPs. No devices, sampling, sharding or files here.

Paper: https://arxiv.org/abs/2505.09388.
"""

from torch import nn

from modelry.checkpoint.weight_table import FormerSplit, Stack, WeightTable
from modelry.heads import QuestionAnswering, SequenceClassification, TokenClassification
from modelry.heads.sparse_causal_lm import SparseCausalLM
from modelry.nn.activations import activation
from modelry.nn.decoder_layer import RotaryAttention, gated_mlp
from modelry.nn.experts import Experts, Router, SparseDecoderLayer, SparseMLP
from modelry.sparse_decoder import SparseDecoder
from modelry_qwen3_moe.configuration import Qwen3MoeConfig

EXPERTS = "layers.{i}.mlp.experts"


class Qwen3MoeModel(SparseDecoder):
    """Embeddings, layers and the last norm. Files keep each expert by itself, or all in one as later ones do."""

    config_class = Qwen3MoeConfig
    weight_table = WeightTable(
        *(
            Stack(f"{EXPERTS}.{{e}}.{name}.weight", f"{EXPERTS}.{name}", "e")
            for name in ("gate_proj", "up_proj", "down_proj")
        ),
        FormerSplit(f"{EXPERTS}.gate_up_proj", (f"{EXPERTS}.gate_proj", f"{EXPERTS}.up_proj"), dim=1),
    )

    def __init__(self, config: Qwen3MoeConfig) -> None:
        super().__init__(config, lambda number: layer(config, sparse=config.is_sparse(number)))


def layer(config: Qwen3MoeConfig, *, sparse: bool) -> SparseDecoderLayer:
    """A layer, with a mixture or a plain MLP."""
    bias = config.attention_bias
    attention = RotaryAttention(config, bias=bias, output_bias=bias, normalised=True)
    return SparseDecoderLayer(config, attention, mixture(config) if sparse else gated_mlp(config))


def mixture(config: Qwen3MoeConfig) -> nn.Module:
    """A layer's experts. What they say is weighed in the dtype of the hidden states."""
    experts, size, spread = config.num_experts, config.hidden_size, config.initializer_range
    chosen, inner = config.num_experts_per_tok, config.moe_intermediate_size
    return SparseMLP(
        Router(experts, size, chosen=chosen, normalised=config.norm_topk_prob, spread=spread),
        Experts(experts, size, inner, act=activation(config.hidden_act), spread=spread),
        rounded=True,
    )


class Qwen3MoeForCausalLM(SparseCausalLM):
    """Qwen3-MoE that scores the next token."""

    base_class = Qwen3MoeModel


class Qwen3MoeForSequenceClassification(SequenceClassification):
    """Qwen3-MoE that gives a whole text its labels."""

    base_class = Qwen3MoeModel


class Qwen3MoeForTokenClassification(TokenClassification):
    """Qwen3-MoE that gives every token its labels."""

    base_class = Qwen3MoeModel


class Qwen3MoeForQuestionAnswering(QuestionAnswering):
    """Qwen3-MoE that finds an answer in a text. Published checkpoints call its base model `transformer`."""

    base_class = Qwen3MoeModel
    base_model_prefix = "transformer"
