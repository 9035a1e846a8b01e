"""The head that gives every token its labels.

B batch   T positions   D hidden width   C labels
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.dropout import classifier_dropout
from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import TokenClassifierOutput


class TokenClassification(PreTrainedModel):
    """A base model, dropout, and `score`, (C, D) with a bias. A family names its base model in `base_class`.

    The head's name is `classifier` in families of encoders: `head_name`.
    """

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}
    head_name: ClassVar[str] = "score"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.dropout = nn.Dropout(classifier_dropout(self.config))
        self.add_module(self.head_name, Linear(text.hidden_size, self.config.num_labels))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **more: Any,
    ) -> TokenClassifierOutput:
        """Score the labels of every token, (B, T, C).

        Args:
            labels: (B, T) int64, -100 does not count.
            num_items_in_batch: see `modelry.heads.losses.cross_entropy`.
            more: and the others: those of the base model.
        """
        out = self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **more,
        )
        logits = self.get_submodule(self.head_name)(self.dropout(out.last_hidden_state))
        loss = None
        if labels is not None:
            loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), num_items_in_batch=num_items_in_batch)
        return TokenClassifierOutput(loss, logits, out.hidden_states, out.attentions)
