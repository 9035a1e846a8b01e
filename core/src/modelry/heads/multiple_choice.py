"""The head that chooses one of several continuations of a text.

B batch   N choices   T positions   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.dropout import classifier_dropout
from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import MultipleChoiceModelOutput


class MultipleChoice(PreTrainedModel):
    """An encoder that pools, dropout, and `classifier`, (1, D) with a bias: each choice is scored by itself.

    A family names its encoder in `base_class`.
    """

    base_class: ClassVar[type[PreTrainedModel]]
    base_options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config.get_text_config()
        self.add_module(self.base_model_prefix, self.base_class(self.config, **self.base_options))
        self.dropout = nn.Dropout(classifier_dropout(self.config))
        self.classifier = Linear(text.hidden_size, 1)

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        **more: Any,
    ) -> MultipleChoiceModelOutput:
        """Score the choices, (B, N).

        Args:
            input_ids: (B, N, T) int64; or `inputs_embeds`, (B, N, T, D).
            labels: (B,) int64, the number of the right choice.
            more: and the others: those of the base model, with the dimension N behind B.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or without the dimension N.
        """
        given, dims = (inputs_embeds, 4) if input_ids is None else (input_ids, 3)
        if given is None or given.dim() != dims or (input_ids is not None and inputs_embeds is not None):
            shape = None if given is None else tuple(given.shape)
            raise ValueError(
                f"give either input_ids, (rows, choices, positions), or inputs_embeds, (rows, choices, positions, "
                f"width); found {shape}"
            )
        named = {"input_ids": input_ids, "inputs_embeds": inputs_embeds, **more}
        flat = {
            name: one.flatten(0, 1) if isinstance(one, Tensor) and one.shape[:2] == given.shape[:2] else one
            for name, one in named.items()
        }
        out = self.base_model(output_hidden_states=output_hidden_states, output_attentions=output_attentions, **flat)
        logits = self.classifier(self.dropout(out.pooler_output)).view(given.shape[:2])
        loss = None if labels is None else cross_entropy(logits, labels)
        return MultipleChoiceModelOutput(loss, logits, out.hidden_states, out.attentions)
