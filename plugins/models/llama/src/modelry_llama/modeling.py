"""Llama: token ids in, hidden states out. No devices, sampling, sharding or files here.

Papers: https://arxiv.org/abs/2302.13971 (Llama), https://arxiv.org/abs/2307.09288 (Llama 2).
"""

from modelry.decoder import RotaryDecoder
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry_llama.configuration import LlamaConfig


class LlamaModel(RotaryDecoder):
    """Embeddings, layers and the last norm."""

    config_class = LlamaConfig

    def __init__(self, config: LlamaConfig) -> None:
        bias = config.attention_bias
        super().__init__(
            config,
            lambda number: DecoderLayer(
                config,
                RotaryAttention(config, bias=bias, output_bias=bias),
                gated_mlp(config, bias=config.mlp_bias),
            ),
        )


class LlamaForCausalLM(CausalLM):
    """Llama that scores the next token."""

    base_class = LlamaModel


class LlamaForSequenceClassification(SequenceClassification):
    """Llama that gives a whole text its labels."""

    base_class = LlamaModel


class LlamaForTokenClassification(TokenClassification):
    """Llama that gives every token its labels."""

    base_class = LlamaModel


class LlamaForQuestionAnswering(QuestionAnswering):
    """Llama that finds an answer in a text. Published checkpoints call its base model `transformer`."""

    base_class = LlamaModel
    base_model_prefix = "transformer"
