"""BERT keeps the model contract, as an encoder and as a decoder."""

from typing import ClassVar

from modelry_bert._plugin import TINY
from modelry_testing import ModelContract


class TestBert(ModelContract):
    model_type = "bert"
    reference = "transformers:BertLMHeadModel"
    compiles = True


class TestBertDecoder(ModelContract):
    model_type = "bert"
    tiny: ClassVar = {**TINY, "is_decoder": True}
    reference = "transformers:BertLMHeadModel"
