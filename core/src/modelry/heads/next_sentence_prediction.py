"""The head that says whether one text follows another.

B batch   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import NextSentencePredictorOutput


class NextSentenceScores(nn.Module):
    """`seq_relationship`, (2, D) with a bias: number 0 says that the second text follows."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.seq_relationship = Linear(size, 2)

    def forward(self, pooled: Tensor) -> Tensor:
        scores: Tensor = self.seq_relationship(pooled)
        return scores


class NextSentencePrediction(PreTrainedModel):
    """An encoder that pools, and `cls`. A family names its encoder in `base_class`."""

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.cls = NextSentenceScores(text.hidden_size)

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
    ) -> NextSentencePredictorOutput:
        """Score that the second text follows and that it does not, (B, 2).

        Args:
            labels: (B,) int64: 0 where it follows, 1 where it is another.
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
        logits = self.cls(out.pooler_output)
        loss = None if labels is None else cross_entropy(logits, labels.view(-1))
        return NextSentencePredictorOutput(loss, logits, out.hidden_states, out.attentions)
