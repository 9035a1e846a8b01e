"""The head that gives a whole input its labels, from the vector that the base model pools.

B batch   D hidden width   C labels
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.dropout import classifier_dropout
from modelry.heads.losses import classification_loss
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import SequenceClassifierOutput


class PooledSequenceClassification(PreTrainedModel):
    """An encoder that pools, dropout, and `classifier`, (C, D) with a bias.

    A family names its encoder in `base_class`.
    """

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.dropout = nn.Dropout(classifier_dropout(self.config))
        self.classifier = Linear(text.hidden_size, self.config.num_labels)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **more: Any,
    ) -> SequenceClassifierOutput:
        """Score the labels, (B, C).

        Args:
            labels: see `modelry.heads.losses.classification_loss`.
            more: and the others: those of the base model.
        """
        out = self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **more,
        )
        logits = self.classifier(self.dropout(out.pooler_output))
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, problem_type=self.config.problem_type)
        return SequenceClassifierOutput(loss, logits, out.hidden_states, out.attentions)
