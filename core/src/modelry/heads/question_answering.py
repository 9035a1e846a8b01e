"""The head that finds an answer in a text: its first and its last token.

B batch   T positions   D hidden width
"""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.losses import span_loss
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import QuestionAnsweringOutput

CACHED = frozenset({"past_key_values", "use_cache"})
"""Arguments of base models that are decoders, or may be; encoders take neither."""


class QuestionAnswering(PreTrainedModel):
    """A base model and `qa_outputs`, (2, D) with a bias. A family names its base model in `base_class`.

    One whose head is more than a projection makes it in `make_head`.
    """

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.qa_outputs = self.make_head(text)
        self._of_caches = CACHED & inspect.signature(self.base_class.forward).parameters.keys()

    def make_head(self, text: Any) -> nn.Module:
        """(B, T, D) to (B, T, 2). `text`: the text model's configuration."""
        return Linear(text.hidden_size, 2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **more: Any,
    ) -> QuestionAnsweringOutput:
        """Score each position as the answer's first and as its last, (B, T) each.

        Args:
            start_positions: (B,) int64; with `end_positions` they give a loss. Positions outside do not count.
            end_positions: (B,) int64.
            more: and the others: those of the base model.
        """
        cached = {"past_key_values": past_key_values, "use_cache": use_cache}
        out = self.base_model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **{name: cached[name] for name in self._of_caches},
            **more,
        )
        start_logits, end_logits = self.qa_outputs(out.last_hidden_state).unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = span_loss(start_logits, end_logits, start_positions, end_positions)
        return QuestionAnsweringOutput(loss, start_logits, end_logits, out.hidden_states, out.attentions)
