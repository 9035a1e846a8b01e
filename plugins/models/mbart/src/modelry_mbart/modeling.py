"""mBART: BART in many languages. Layers normalise what enters them, and answers begin with their language's token.

Liu et al. 2020, https://arxiv.org/abs/2001.08210; Tang et al. 2020, https://arxiv.org/abs/2008.00401.
B batch   T positions
"""

from typing import Any

from torch import Tensor

from modelry.heads import (
    BiasedSeq2SeqLM,
    DecoderLM,
    Seq2SeqQuestionAnswering,
    Seq2SeqSequenceClassification,
    TextDecoder,
    TextEncoder,
    TextToTextModel,
)
from modelry.heads.shifting import wrap_right
from modelry_mbart.configuration import MBartConfig


class MBartEncoder(TextEncoder):
    """mBART's reading side."""

    config_class = MBartConfig

    def __init__(self, config: MBartConfig) -> None:
        super().__init__(config, norm_first=True)


class MBartDecoder(TextDecoder):
    """mBART's writing side."""

    config_class = MBartConfig

    def __init__(self, config: MBartConfig) -> None:
        super().__init__(config, norm_first=True)


class MBartModel(TextToTextModel):
    """Both sides, over one embedding of tokens."""

    config_class = MBartConfig
    encoder_class, decoder_class = MBartEncoder, MBartDecoder

    @staticmethod
    def shifted(config: Any, ids: Tensor) -> Tensor:
        """What the decoder reads to learn to write `ids`, (B, T): their last token, the language's, comes first.

        Raises:
            ValueError: the configuration does not say what padding is.
        """
        if config.pad_token_id is None:
            raise ValueError("pad_token_id is None: set it in the configuration, or give decoder_input_ids")
        return wrap_right(ids, padding=config.pad_token_id)


class MBartForConditionalGeneration(BiasedSeq2SeqLM):
    """mBART that writes an answer: a translation."""

    base_class = MBartModel


class MBartForSequenceClassification(Seq2SeqSequenceClassification):
    """mBART that gives a whole text its labels, by what the decoder makes of its end."""

    base_class = MBartModel


class MBartForQuestionAnswering(Seq2SeqQuestionAnswering):
    """mBART that finds an answer in a text."""

    base_class = MBartModel


class MBartForCausalLM(DecoderLM):
    """mBART's decoder alone, or over another encoder (Donut has an image's)."""

    base_class = MBartDecoder
