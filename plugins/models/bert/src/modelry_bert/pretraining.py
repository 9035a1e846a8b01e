"""Both heads that BERT was pretrained with, at once.

B batch   T positions   V vocabulary   D hidden_size
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.checkpoint import WeightTable
from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import ModelOutput
from modelry_bert.configuration import BertConfig
from modelry_bert.heads import PREDICTIONS, TIED, BertPredictions
from modelry_bert.modeling import BertModel


@dataclass
class BertForPreTrainingOutput(ModelOutput):
    """Scores of the token at each position, and of the second text following the first."""

    loss: Tensor | None = None
    prediction_logits: Tensor | None = None
    """(B, T, V)."""
    seq_relationship_logits: Tensor | None = None
    """(B, 2)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class BertPretrainingHeads(nn.Module):
    """`cls` with both parts."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.predictions = BertPredictions(config)
        self.seq_relationship = Linear(config.hidden_size, 2)


class BertForPreTraining(PreTrainedModel):
    """BERT as it was pretrained."""

    base_class = BertModel
    base_model_prefix = "bert"
    output_embeddings_name = "cls.predictions.decoder"
    tied_weights: ClassVar[Mapping[str, str]] = TIED
    weight_table = WeightTable(*PREDICTIONS)

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config)
        self.cls = BertPretrainingHeads(config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
        **more: Any,
    ) -> BertForPreTrainingOutput:
        """Score tokens and the next sentence; with both kinds of labels, the loss is the sum of both.

        Args:
            labels: (B, T) int64, -100 does not count.
            next_sentence_label: (B,) int64: 0 where the second text follows, 1 where it is another.
            more: and the others: those of `BertModel`.
        """
        out = self.bert(input_ids=input_ids, attention_mask=attention_mask, **more)
        scores = self.cls.predictions(out.last_hidden_state)
        follows = self.cls.seq_relationship(out.pooler_output)
        loss = None
        if labels is not None and next_sentence_label is not None:
            loss = cross_entropy(scores.flatten(0, 1), labels.flatten())
            loss = loss + cross_entropy(follows, next_sentence_label.view(-1))
        return BertForPreTrainingOutput(loss, scores, follows, out.hidden_states, out.attentions)
