"""The head that labels a whole sound by what the encoder hears: its language, its speaker, a keyword.

B rows   M mel bins   L frames   S positions of the encoder   D d_model   C labels
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelry.heads.losses import cross_entropy
from modelry.model import PreTrainedModel
from modelry.nn.layers import mean_of_layers
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutput, SequenceClassifierOutput
from modelry_whisper.configuration import WhisperConfig
from modelry_whisper.modeling import WhisperEncoder


class WhisperForAudioClassification(PreTrainedModel):
    """Whisper's encoder, a projection and a classifier."""

    config_class = WhisperConfig
    main_input_name = "input_features"
    optional_parts = ("layer_weights", "projector.", "classifier.")
    unread = ("decoder.", "proj_out.")

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.encoder = WhisperEncoder(config)
        if config.use_weighted_layer_sum:
            count = config.encoder_layers + 1
            self.layer_weights = nn.Parameter(torch.full((count,), 1 / count))
        self.projector = Linear(config.d_model, config.classifier_proj_size)
        self.classifier = Linear(config.classifier_proj_size, config.num_labels)

    def init_weights(self, module: nn.Module) -> None:
        super().init_weights(module)
        if module is self and self.config.use_weighted_layer_sum:
            self.layer_weights.fill_(1 / len(self.layer_weights))
        if module is self.encoder.embed_positions:
            self.encoder.init_weights(module)

    def forward(
        self,
        input_features: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> SequenceClassifierOutput:
        """Score the labels, (B, C), from the mean of all positions.

        Args:
            input_features: (B, M, L).
            encoder_outputs: of an earlier pass, instead.
            labels: (B,) int64.
        """
        weighted = self.config.use_weighted_layer_sum
        wanted = output_hidden_states or self.config.output_hidden_states
        if encoder_outputs is None:
            out: Any = self.encoder(
                input_features,
                output_hidden_states=True if weighted else wanted,
                output_attentions=output_attentions,
            )
        else:
            given = encoder_outputs
            out = given if isinstance(given, BaseModelOutput) else BaseModelOutput(*given)
        x = out.last_hidden_state
        if weighted:
            x = mean_of_layers(out.hidden_states, self.layer_weights)
        logits = self.classifier(self.projector(x).mean(1))
        loss = None if labels is None else cross_entropy(logits, labels.view(-1))
        return SequenceClassifierOutput(loss, logits, out.hidden_states, out.attentions)

    def freeze_encoder(self) -> None:
        """Train the head alone."""
        self.encoder.requires_grad_(False)
