"""The head that writes text, frame by frame.

B rows   N samples   T frames   V vocabulary
"""

import torch
from torch import Tensor, nn

from modelry.heads.ctc_loss import ctc_loss
from modelry.nn.linear import Linear
from modelry.outputs import CausalLMOutput
from modelry_wav2vec2.configuration import Wav2Vec2Config
from modelry_wav2vec2.frames import frame_counts
from modelry_wav2vec2.speech_head import SpeechHead


class Wav2Vec2ForCTC(SpeechHead):
    """Wav2Vec2 that scores a token, or the blank, for each frame."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.dropout = nn.Dropout(config.final_dropout)
        self.lm_head = Linear(
            config.output_hidden_size if config.add_adapter else config.hidden_size, config.vocab_size
        )

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> CausalLMOutput:
        """Score every token for each frame, (B, T, V).

        Args:
            input_values: (B, N).
            attention_mask: (B, N), 1 for samples and 0 for padding.
            labels: (B, U) token ids, -100 does not count. The blank is config.pad_token_id.

        Raises:
            ValueError: a label is outside of the vocabulary.
        """
        out = self.wav2vec2(
            input_values,
            attention_mask=attention_mask,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        logits = self.lm_head(self.dropout(out.last_hidden_state))
        loss = None
        if labels is not None:
            mask = torch.ones_like(input_values, dtype=torch.long) if attention_mask is None else attention_mask
            loss = ctc_loss(
                logits,
                labels,
                frame_counts(mask.sum(-1), self.config, adapter=True),
                blank=self.config.pad_token_id,
                reduction=self.config.ctc_loss_reduction,
                zero_infinity=self.config.ctc_zero_infinity,
            )
        return CausalLMOutput(loss, logits, out.hidden_states, out.attentions)
