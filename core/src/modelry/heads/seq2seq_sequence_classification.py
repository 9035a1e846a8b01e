"""The head that gives a whole input its labels, from what an encoder-decoder makes of the last end token.

B batch   T positions   D hidden width   C labels
"""

from typing import Any

import torch
from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.heads.losses import classification_loss
from modelry.heads.seq2seq_model import Seq2SeqHead, beside_states
from modelry.nn.linear import Linear
from modelry.outputs import Seq2SeqSequenceClassifierOutput


class ClassificationHead(nn.Module):
    """dropout, dense, tanh, dropout, out_proj: (B, D) to (B, C)."""

    def __init__(self, size: int, labels: int, *, dropout: float) -> None:
        super().__init__()
        self.dense = Linear(size, size)
        self.dropout = nn.Dropout(dropout)
        self.out_proj = Linear(size, labels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(x)))))
        return out


class Seq2SeqSequenceClassification(Seq2SeqHead):
    """An encoder-decoder and `classification_head`. A family names its base model in `base_class`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        text: Any = self.config
        self.classification_head = ClassificationHead(
            text.hidden_size, text.num_labels, dropout=text.classifier_dropout
        )

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        **more: Any,
    ) -> Seq2SeqSequenceClassifierOutput:
        """Score the labels, (B, C).

        Args:
            input_ids: (B, T); each row has the end token, and all rows have it equally often.
            labels: see `modelry.heads.losses.classification_loss`.
            more: and the others: those of the base model.

        Raises:
            ValueError: no ids, or rows without the end token or with different numbers of it.
        """
        if input_ids is None:
            raise ValueError(f"{type(self).__name__} looks for the end token: give input_ids, not inputs_embeds")
        ends = _places_of(input_ids, self.config.eos_token_id)
        out = self.run(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            use_cache=False if labels is not None else use_cache,
            **more,
        )
        hidden = out.last_hidden_state
        assert hidden is not None
        logits = self.classification_head(
            hidden[torch.arange(len(hidden), device=hidden.device), ends.to(hidden.device)]
        )
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, problem_type=self.config.problem_type)
        return Seq2SeqSequenceClassifierOutput(loss, logits, *beside_states(out))

    @classmethod
    def can_generate(cls) -> bool:
        """It labels and does not write."""
        return False


def _places_of(ids: Tensor, end: int | list[int] | None) -> Tensor:
    """Place of the last end token of each row, (B, T) -> (B,)."""
    if not isinstance(end, int):
        raise ValueError(f"eos_token_id is {end}: classification looks for one end token, so set it")
    found = ids == end
    counts = found.sum(-1)
    if not torch.compiler.is_compiling() and (bool((counts == 0).any()) or bool((counts != counts[0]).any())):
        raise ValueError(
            f"rows have the end token {end} {counts.tolist()} times: each must have it, and all equally often"
        )
    return (found * torch.arange(ids.shape[1], device=ids.device)).argmax(-1)
