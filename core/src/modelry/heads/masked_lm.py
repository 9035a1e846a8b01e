"""The head that scores the token at each position: what stands under the masks.

B batch   T positions   V vocabulary   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.outputs import MaskedLMOutput


class MaskedLM(PreTrainedModel):
    """An encoder and its family's own way to the vocabulary. A family names its encoder in `base_class`."""

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}
    head_name: ClassVar[str] = "lm_head"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.add_module(self.head_name, self.make_head(self.config.get_text_config()))

    def make_head(self, text: Any) -> nn.Module:
        """(B, T, D) to (B, T, V). `text`: the text model's configuration. Every family has its own."""
        raise NotImplementedError(f"{type(self).__name__} makes no head: write its make_head")

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **more: Any,
    ) -> MaskedLMOutput:
        """Score the vocabulary at every position, (B, T, V).

        Args:
            labels: (B, T) int64, -100 does not count.
            num_items_in_batch: see `modelry.heads.losses.cross_entropy`.
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
        logits = self.get_submodule(self.head_name)(out.last_hidden_state)
        loss = None
        if labels is not None:
            loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), num_items_in_batch=num_items_in_batch)
        return MaskedLMOutput(loss, logits, out.hidden_states, out.attentions)
