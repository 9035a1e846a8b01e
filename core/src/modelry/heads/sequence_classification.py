"""The head that gives a whole input its labels, from the last token that is not padding.

B batch   T positions   D hidden width   C labels
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.losses import classification_loss
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import SequenceClassifierOutputWithPast


class SequenceClassification(PreTrainedModel):
    """A decoder and `score`, (C, D). A family names its decoder in `base_class`."""

    base_class: ClassVar[type[PreTrainedModel]]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config))
        self.score = Linear(text.hidden_size, self.config.num_labels, bias=False)

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
        **more: Any,
    ) -> SequenceClassifierOutputWithPast:
        """Score the labels, (B, C).

        The last real token is the last that is not config.pad_token_id; without ids or without a padding token, the
        last that attention_mask has; without that too, the last.

        Args:
            labels: see `modelry.heads.losses.classification_loss`.
            more: and the others: those of the base model.

        Raises:
            ValueError: several rows, and nothing says which tokens are padding.
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
        hidden: Tensor = out.last_hidden_state
        padding_id = self.config.get_text_config().pad_token_id
        if input_ids is not None and padding_id is not None:
            last = _last(input_ids != padding_id)
        elif attention_mask is not None:
            last = _last(attention_mask[:, -hidden.shape[1] :] != 0)
        elif hidden.shape[0] == 1 or input_ids is None:
            last = torch.full((hidden.shape[0],), hidden.shape[1] - 1, device=hidden.device)
        else:
            raise ValueError(
                f"{hidden.shape[0]} rows may be padded and nothing says where: set config.pad_token_id, or give "
                "attention_mask"
            )
        logits = self.score(hidden[torch.arange(hidden.shape[0], device=hidden.device), last.to(hidden.device)])
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, problem_type=self.config.problem_type)
        return SequenceClassifierOutputWithPast(loss, logits, out.past_key_values, out.hidden_states, out.attentions)


def _last(real: Tensor) -> Tensor:
    """Number of the last True of each row, (B, T) -> (B,); 0 where there is none."""
    return (real * torch.arange(real.shape[1], device=real.device)).argmax(-1)
