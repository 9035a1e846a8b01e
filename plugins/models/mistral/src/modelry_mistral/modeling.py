"""Mistral: a decoder whose layers see a window of the last positions. No devices, sampling, sharding or files here.

Paper: https://arxiv.org/abs/2310.06825.
"""

from modelry.decoder import RotaryDecoder
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp
from modelry_mistral.configuration import MistralConfig


class MistralModel(RotaryDecoder):
    """Embeddings, layers and the last norm."""

    config_class = MistralConfig

    def __init__(self, config: MistralConfig) -> None:
        super().__init__(config, lambda number: DecoderLayer(config, RotaryAttention(config), gated_mlp(config)))


class MistralForCausalLM(CausalLM):
    """Mistral that scores the next token."""

    base_class = MistralModel


class MistralForSequenceClassification(SequenceClassification):
    """Mistral that gives a whole text its labels."""

    base_class = MistralModel


class MistralForTokenClassification(TokenClassification):
    """Mistral that gives every token its labels."""

    base_class = MistralModel


class MistralForQuestionAnswering(QuestionAnswering):
    """Mistral that finds an answer in a text."""

    base_class = MistralModel
