"""Mixtral: a decoder whose MLPs are mixtures of experts. No devices, sampling, sharding or files here.

Paper: https://arxiv.org/abs/2401.04088.
"""

from torch import nn

from modelry.checkpoint.weight_table import FormerSplit, Rename, Stack, WeightTable
from modelry.heads import QuestionAnswering, SequenceClassification, TokenClassification
from modelry.heads.sparse_causal_lm import SparseCausalLM
from modelry.nn.activations import activation
from modelry.nn.decoder_layer import RotaryAttention
from modelry.nn.experts import Experts, Router, SparseDecoderLayer, SparseMLP
from modelry.sparse_decoder import SparseDecoder
from modelry_mixtral.configuration import MixtralConfig

STORED, OURS = "layers.{i}.block_sparse_moe", "layers.{i}.mlp"


class MixtralModel(SparseDecoder):
    """Embeddings, layers and the last norm. Files keep each expert by itself, or all in one as later ones do."""

    config_class = MixtralConfig
    weight_table = WeightTable(
        Rename(f"{STORED}.gate.weight", f"{OURS}.gate.weight"),
        Stack(f"{STORED}.experts.{{e}}.w1.weight", f"{OURS}.experts.gate_proj", "e"),
        Stack(f"{STORED}.experts.{{e}}.w3.weight", f"{OURS}.experts.up_proj", "e"),
        Stack(f"{STORED}.experts.{{e}}.w2.weight", f"{OURS}.experts.down_proj", "e"),
        FormerSplit(f"{OURS}.experts.gate_up_proj", (f"{OURS}.experts.gate_proj", f"{OURS}.experts.up_proj"), dim=1),
    )

    def __init__(self, config: MixtralConfig) -> None:
        super().__init__(config, lambda number: SparseDecoderLayer(config, RotaryAttention(config), mixture(config)))


def mixture(config: MixtralConfig) -> nn.Module:
    """A layer's experts. What they say is weighed in float32."""
    experts, size, spread = config.num_local_experts, config.hidden_size, config.initializer_range
    return SparseMLP(
        Router(experts, size, chosen=config.num_experts_per_tok, normalised=True, spread=spread),
        Experts(experts, size, config.intermediate_size, act=activation(config.hidden_act), spread=spread),
        jitter=config.router_jitter_noise,
    )


class MixtralForCausalLM(SparseCausalLM):
    """Mixtral that scores the next token."""

    base_class = MixtralModel


class MixtralForSequenceClassification(SequenceClassification):
    """Mixtral that gives a whole text its labels."""

    base_class = MixtralModel


class MixtralForTokenClassification(TokenClassification):
    """Mixtral that gives every token its labels."""

    base_class = MixtralModel


class MixtralForQuestionAnswering(QuestionAnswering):
    """Mixtral that finds an answer in a text."""

    base_class = MixtralModel
