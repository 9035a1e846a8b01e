"""Generic heads: a base model and a projection, the same for every family. A family's head is a one-liner.

A head whose base model leaves something out (a pooler) says so in `base_options`, which its base class is made with.
"""

from modelry.heads.backbone import Backbone
from modelry.heads.causal_lm import CausalLM
from modelry.heads.decoder_lm import DecoderLM
from modelry.heads.image_classification import ImageClassification
from modelry.heads.masked_image_modeling import MaskedImageModeling
from modelry.heads.masked_lm import MaskedLM
from modelry.heads.multiple_choice import MultipleChoice
from modelry.heads.next_sentence_prediction import NextSentencePrediction
from modelry.heads.pooled_classification import PooledSequenceClassification
from modelry.heads.question_answering import QuestionAnswering
from modelry.heads.seq2seq_lm import BiasedSeq2SeqLM, Seq2SeqLM
from modelry.heads.seq2seq_model import Seq2SeqHead, Seq2SeqModel, encode_and_decode
from modelry.heads.seq2seq_question_answering import Seq2SeqQuestionAnswering
from modelry.heads.seq2seq_sequence_classification import Seq2SeqSequenceClassification
from modelry.heads.seq2seq_stacks import TextDecoder, TextEncoder, TextToTextModel
from modelry.heads.sequence_classification import SequenceClassification
from modelry.heads.token_classification import TokenClassification

__all__ = [
    "Backbone",
    "BiasedSeq2SeqLM",
    "CausalLM",
    "DecoderLM",
    "ImageClassification",
    "MaskedImageModeling",
    "MaskedLM",
    "MultipleChoice",
    "NextSentencePrediction",
    "PooledSequenceClassification",
    "QuestionAnswering",
    "Seq2SeqHead",
    "Seq2SeqLM",
    "Seq2SeqModel",
    "Seq2SeqQuestionAnswering",
    "Seq2SeqSequenceClassification",
    "SequenceClassification",
    "TextDecoder",
    "TextEncoder",
    "TextToTextModel",
    "TokenClassification",
    "encode_and_decode",
]
