"""What every head of this family shares: its base model, what can be frozen, and a learned mean of all layers.

B rows   N samples   T frames   D hidden_size   L layers
"""

from typing import Any

import torch
from torch import Tensor, nn

from modelry.errors import ConfigError
from modelry.model import PreTrainedModel
from modelry.nn.layers import mean_of_layers
from modelry_wav2vec2.configuration import Wav2Vec2Config
from modelry_wav2vec2.modeling import Wav2Vec2Model, init_weights
from modelry_wav2vec2.outputs import Wav2Vec2BaseModelOutput


class SpeechHead(PreTrainedModel):
    """The interface of the heads: a Wav2Vec2Model under `wav2vec2`."""

    base_class = Wav2Vec2Model
    base_model_prefix = "wav2vec2"
    main_input_name = "input_values"
    input_embeddings_name = Wav2Vec2Model.input_embeddings_name

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)

    def init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            super().init_weights(module)
        init_weights(module, self.wav2vec2)
        weights = getattr(module, "layer_weights", None)
        if isinstance(weights, nn.Parameter):
            weights.fill_(1 / len(weights))

    def freeze_feature_encoder(self) -> None:
        """Leave the convolutions from samples to frames as they are in training."""
        self.wav2vec2.freeze_feature_encoder()

    def freeze_base_model(self) -> None:
        """Train the head alone."""
        self.wav2vec2.requires_grad_(False)

    def refuse_adapter(self) -> None:
        """
        Raises:
            ConfigError: the configuration has an adapter, whose frames nobody published this head for.
        """
        if self.config.add_adapter:
            raise ConfigError(f"{type(self).__name__} has no adapter: add_adapter is true, and must be false")

    def make_layer_weights(self) -> None:
        """The weights of a mean of all layers, where the configuration asks for one."""
        if self.config.use_weighted_layer_sum:
            count = self.config.num_hidden_layers + 1
            self.layer_weights = nn.Parameter(torch.full((count,), 1 / count))

    def states(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None,
        output_hidden_states: bool | None,
        output_attentions: bool | None,
    ) -> tuple[Tensor, Wav2Vec2BaseModelOutput]:
        """What a classifier reads, (B, T, D): the last hidden state or a mean of all layers; the base's output."""
        weighted = self.config.use_weighted_layer_sum
        wanted = output_hidden_states or self.config.output_hidden_states
        out: Any = self.wav2vec2(
            input_values,
            attention_mask=attention_mask,
            output_hidden_states=True if weighted else wanted,
            output_attentions=output_attentions,
        )
        if not weighted:
            return out.last_hidden_state, out
        mixed = mean_of_layers(out.hidden_states, self.layer_weights)
        if not wanted:
            out.hidden_states = None
        return mixed, out
