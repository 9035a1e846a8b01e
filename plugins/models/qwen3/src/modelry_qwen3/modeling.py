"""Qwen3: a decoder that normalises the queries and keys of each head. No devices, sampling, sharding or files here.

Paper: https://arxiv.org/abs/2505.09388.
"""

from modelry.decoder import RotaryDecoder
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry_qwen3.configuration import Qwen3Config


class Qwen3Model(RotaryDecoder):
    """Embeddings, layers and the last norm."""

    config_class = Qwen3Config

    def __init__(self, config: Qwen3Config) -> None:
        bias = config.attention_bias
        super().__init__(
            config,
            lambda number: DecoderLayer(
                config, RotaryAttention(config, bias=bias, output_bias=bias, normalised=True), gated_mlp(config)
            ),
        )


class Qwen3ForCausalLM(CausalLM):
    """Qwen3 that scores the next token."""

    base_class = Qwen3Model


class Qwen3ForSequenceClassification(SequenceClassification):
    """Qwen3 that gives a whole text its labels."""

    base_class = Qwen3Model


class Qwen3ForTokenClassification(TokenClassification):
    """Qwen3 that gives every token its labels."""

    base_class = Qwen3Model


class Qwen3ForQuestionAnswering(QuestionAnswering):
    """Qwen3 that finds an answer in a text. Published checkpoints call its base model `transformer`."""

    base_class = Qwen3Model
    base_model_prefix = "transformer"
