"""Qwen2: a decoder whose queries, keys and values have biases. No devices, sampling, sharding or files here.

Papers: https://arxiv.org/abs/2407.10671 (Qwen2), https://arxiv.org/abs/2412.15115 (Qwen2.5).
"""

from modelry.decoder import RotaryDecoder
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry_qwen2.configuration import Qwen2Config


class Qwen2Model(RotaryDecoder):
    """Embeddings, layers and the last norm."""

    config_class = Qwen2Config

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__(
            config, lambda number: DecoderLayer(config, RotaryAttention(config, bias=True), gated_mlp(config))
        )


class Qwen2ForCausalLM(CausalLM):
    """Qwen2 that scores the next token."""

    base_class = Qwen2Model


class Qwen2ForSequenceClassification(SequenceClassification):
    """Qwen2 that gives a whole text its labels."""

    base_class = Qwen2Model


class Qwen2ForTokenClassification(TokenClassification):
    """Qwen2 that gives every token its labels."""

    base_class = Qwen2Model


class Qwen2ForQuestionAnswering(QuestionAnswering):
    """Qwen2 that finds an answer in a text. Published checkpoints call its base model `transformer`."""

    base_class = Qwen2Model
    base_model_prefix = "transformer"
