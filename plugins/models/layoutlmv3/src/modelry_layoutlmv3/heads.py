"""LayoutLMv3's heads. The page's positions stand behind the text's, and only answers may lie there.

B batch   T tokens   D hidden_size   C labels
"""

from typing import Any

from torch import Tensor, nn

from modelry.heads import QuestionAnswering
from modelry.heads.dropout import classifier_dropout
from modelry.heads.losses import classification_loss, cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import SequenceClassifierOutput, TokenClassifierOutput
from modelry_layoutlmv3.configuration import LayoutLMv3Config
from modelry_layoutlmv3.modeling import LayoutLMv3Model

FEW_LABELS = 10
"""Below it, a token's labels are scored by one linear layer, as published."""


class ClassificationHead(nn.Module):
    """Two linear layers with tanh between them.

    Args:
        labels: C.
    """

    def __init__(self, config: LayoutLMv3Config, labels: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(classifier_dropout(config))
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.out_proj = Linear(config.hidden_size, labels)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.out_proj(self.dropout(self.dense(self.dropout(x)).tanh()))
        return scores


class LayoutLMv3ForSequenceClassification(PreTrainedModel):
    """LayoutLMv3 that gives a whole document its labels, from its first position."""

    base_class = LayoutLMv3Model
    base_model_prefix = "layoutlmv3"

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__(config)
        self.layoutlmv3 = LayoutLMv3Model(self.config)
        self.classifier = ClassificationHead(self.config, self.config.num_labels)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        bbox: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        **more: Any,
    ) -> SequenceClassifierOutput:
        """Score the labels, (B, C).

        Args:
            labels: see `modelry.heads.losses.classification_loss`.
            more: the others of the base model.
        """
        out = self.layoutlmv3(input_ids, attention_mask, bbox, pixel_values=pixel_values, **more)
        logits = self.classifier(out.last_hidden_state[:, 0])
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, problem_type=self.config.problem_type)
        return SequenceClassifierOutput(loss, logits, out.hidden_states, out.attentions)


class LayoutLMv3ForTokenClassification(PreTrainedModel):
    """LayoutLMv3 that gives every token its labels; patches have none."""

    base_class = LayoutLMv3Model
    base_model_prefix = "layoutlmv3"

    def __init__(self, config: LayoutLMv3Config) -> None:
        super().__init__(config)
        count = self.config.num_labels
        self.layoutlmv3 = LayoutLMv3Model(self.config)
        self.dropout = nn.Dropout(self.config.hidden_dropout_prob)
        few = count < FEW_LABELS
        self.classifier = Linear(config.hidden_size, count) if few else ClassificationHead(self.config, count)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        bbox: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        **more: Any,
    ) -> TokenClassifierOutput:
        """Score the labels of every token, (B, T, C).

        Args:
            labels: (B, T) int64, -100 does not count.
            more: the others of the base model.

        Raises:
            ValueError: there is no text.
        """
        texts = input_ids if inputs_embeds is None else inputs_embeds
        if texts is None:
            raise ValueError("tokens are to be labelled, and there is no text: give input_ids or inputs_embeds")
        out = self.layoutlmv3(
            input_ids, attention_mask, bbox, inputs_embeds=inputs_embeds, pixel_values=pixel_values, **more
        )
        logits = self.classifier(self.dropout(out.last_hidden_state[:, : texts.shape[1]]))
        loss = None if labels is None else cross_entropy(logits.flatten(0, 1), labels.flatten())
        return TokenClassifierOutput(loss, logits, out.hidden_states, out.attentions)


class LayoutLMv3ForQuestionAnswering(QuestionAnswering):
    """LayoutLMv3 that finds an answer on a page; patches are positions too, as published."""

    base_class = LayoutLMv3Model
    base_model_prefix = "layoutlmv3"

    def make_head(self, text: LayoutLMv3Config) -> nn.Module:
        return ClassificationHead(text, 2)
