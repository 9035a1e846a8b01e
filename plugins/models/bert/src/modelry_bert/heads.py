"""BERT's heads. Two of them stand on `cls`, the way back to the vocabulary that BERT was pretrained with.

B batch   T positions   V vocabulary   D hidden_size
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modelry.cache import Cache
from modelry.checkpoint import Former, Ignore, WeightTable
from modelry.errors import ConfigError
from modelry.heads import (
    CausalLM,
    MaskedLM,
    MultipleChoice,
    NextSentencePrediction,
    PooledSequenceClassification,
    QuestionAnswering,
    TokenClassification,
)
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry_bert.configuration import BertConfig
from modelry_bert.modeling import BertModel

WITHOUT_POOLER: Mapping[str, Any] = {"add_pooling_layer": False}
TIED: Mapping[str, str] = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
PREDICTIONS = (
    Former("cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight"),
    Former("cls.predictions.transform.LayerNorm.beta", "cls.predictions.transform.LayerNorm.bias"),
)
NO_NEXT_SENTENCE = (Ignore("cls.seq_relationship.weight"), Ignore("cls.seq_relationship.bias"))
"""Of checkpoints as they were pretrained, in heads that do without."""
NO_PREDICTIONS = tuple(
    Ignore(f"cls.predictions.{name}")
    for name in (
        "bias",
        "decoder.weight",
        "decoder.bias",
        "transform.dense.weight",
        "transform.dense.bias",
        "transform.LayerNorm.weight",
        "transform.LayerNorm.bias",
        "transform.LayerNorm.gamma",
        "transform.LayerNorm.beta",
    )
)


class BertTransform(nn.Module):
    """A layer before the vocabulary."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.act = activation(config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        normal: Tensor = self.LayerNorm(self.act(self.dense(x)))
        return normal


class BertPredictions(nn.Module):
    """The transform and the projection onto the vocabulary, whose bias checkpoints keep under two names."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.transform = BertTransform(config)
        self.decoder = Linear(config.hidden_size, config.vocab_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.decoder(self.transform(x))  # (B, T, V)
        return scores


class BertVocabularyHead(nn.Module):
    """`cls` of the language models."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.predictions = BertPredictions(config)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.predictions(x)
        return scores


class BertForMaskedLM(MaskedLM):
    """BERT that scores what stands under the masks."""

    base_class = BertModel
    base_model_prefix = "bert"
    base_options = WITHOUT_POOLER
    head_name = "cls"
    output_embeddings_name = "cls.predictions.decoder"
    tied_weights = TIED
    weight_table = WeightTable(*PREDICTIONS, *NO_NEXT_SENTENCE)

    def make_head(self, text: BertConfig) -> nn.Module:
        return BertVocabularyHead(text)


class BertLMHeadModel(CausalLM):
    """BERT that scores the next token: a decoder where the configuration says is_decoder."""

    base_class = BertModel
    base_model_prefix = "bert"
    base_options = WITHOUT_POOLER
    head_name = "cls"
    output_embeddings_name = "cls.predictions.decoder"
    tied_weights: ClassVar[Mapping[str, str]] = TIED
    weight_table = WeightTable(*PREDICTIONS, *NO_NEXT_SENTENCE)

    def make_head(self, text: BertConfig) -> nn.Module:
        return BertVocabularyHead(text)

    def make_cache(self, *, kind: str = "dynamic", **options: Any) -> Cache:
        """An empty cache, of a decoder.

        Raises:
            ConfigError: an encoder's positions see those that come later, so what is said of one does not last.
        """
        if not self.config.is_decoder:
            raise ConfigError(
                "this BERT is an encoder and has no cache: set is_decoder=True in its configuration; or let it read "
                "everything anew for each token, with use_cache=False"
            )
        return super().make_cache(kind=kind, **options)


class BertForNextSentencePrediction(NextSentencePrediction):
    """BERT that says whether the second text follows the first."""

    base_class = BertModel
    base_model_prefix = "bert"
    weight_table = WeightTable(*NO_PREDICTIONS)


class BertForSequenceClassification(PooledSequenceClassification):
    """BERT that gives a whole text its labels."""

    base_class = BertModel
    base_model_prefix = "bert"


class BertForTokenClassification(TokenClassification):
    """BERT that gives every token its labels."""

    base_class = BertModel
    base_model_prefix = "bert"
    base_options = WITHOUT_POOLER
    head_name = "classifier"


class BertForQuestionAnswering(QuestionAnswering):
    """BERT that finds an answer in a text."""

    base_class = BertModel
    base_model_prefix = "bert"
    base_options = WITHOUT_POOLER


class BertForMultipleChoice(MultipleChoice):
    """BERT that chooses one of several continuations."""

    base_class = BertModel
    base_model_prefix = "bert"
