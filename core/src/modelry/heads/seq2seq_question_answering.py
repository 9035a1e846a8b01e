"""The head that finds an answer in a text by an encoder-decoder: its first and its last token.

B batch   T positions   D hidden width
"""

from typing import Any

from torch import Tensor

from modelry.configuration import ModelConfig
from modelry.heads.losses import span_loss
from modelry.heads.seq2seq_model import Seq2SeqHead, beside_states
from modelry.nn.linear import Linear
from modelry.outputs import Seq2SeqQuestionAnsweringModelOutput


class Seq2SeqQuestionAnswering(Seq2SeqHead):
    """An encoder-decoder and `qa_outputs`, (2, D) with a bias. A family names its base model in `base_class`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config
        self.qa_outputs = Linear(text.hidden_size, 2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        use_cache: bool | None = None,
        **more: Any,
    ) -> Seq2SeqQuestionAnsweringModelOutput:
        """Score each position as the answer's first and as its last, (B, T) each.

        Args:
            start_positions: (B,) int64; with `end_positions` they give a loss. Positions outside do not count.
            end_positions: (B,) int64.
            more: and the others: those of the base model.
        """
        learns = start_positions is not None and end_positions is not None
        out = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            use_cache=False if learns else use_cache,
            **more,
        )
        start_logits, end_logits = self.qa_outputs(out.last_hidden_state).unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = span_loss(start_logits, end_logits, start_positions, end_positions)
        return Seq2SeqQuestionAnsweringModelOutput(loss, start_logits, end_logits, *beside_states(out))
