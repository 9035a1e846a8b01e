"""BART: an encoder and a decoder that normalise behind each block, and the heads over them.

Lewis et al. 2019, https://arxiv.org/abs/1910.13461. The layers are those of modelry.nn.encoder_decoder.
"""

from modelry.heads import (
    BiasedSeq2SeqLM,
    DecoderLM,
    Seq2SeqQuestionAnswering,
    Seq2SeqSequenceClassification,
    TextDecoder,
    TextEncoder,
    TextToTextModel,
)
from modelry_bart.configuration import BartConfig


class BartEncoder(TextEncoder):
    """BART's reading side."""

    config_class = BartConfig

    def __init__(self, config: BartConfig) -> None:
        super().__init__(config, norm_first=False)


class BartDecoder(TextDecoder):
    """BART's writing side."""

    config_class = BartConfig

    def __init__(self, config: BartConfig) -> None:
        super().__init__(config, norm_first=False)


class BartModel(TextToTextModel):
    """Both sides, over one embedding of tokens."""

    config_class = BartConfig
    encoder_class = BartEncoder
    decoder_class = BartDecoder


class BartForConditionalGeneration(BiasedSeq2SeqLM):
    """BART that writes an answer: a summary, a translation, a text without its noise."""

    base_class = BartModel


class BartForSequenceClassification(Seq2SeqSequenceClassification):
    """BART that gives a whole text its labels, by what the decoder makes of its end."""

    base_class = BartModel


class BartForQuestionAnswering(Seq2SeqQuestionAnswering):
    """BART that finds an answer in a text."""

    base_class = BartModel


class BartForCausalLM(DecoderLM):
    """BART's decoder alone, or over another encoder."""

    base_class = BartDecoder
