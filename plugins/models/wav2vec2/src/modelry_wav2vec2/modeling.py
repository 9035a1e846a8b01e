"""Wav2Vec2: a waveform in, hidden states of its frames out. Baevski et al. 2020, https://arxiv.org/abs/2006.11477.

B rows   N samples   T frames   C width of the last convolution   D hidden_size
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from modelry.checkpoint.weight_table import WeightTable
from modelry.errors import ConfigError
from modelry.model import PreTrainedModel
from modelry.nn.kept import Kept
from modelry.nn.spec_augment import masked_spans
from modelry.nn.weight_norm import WeightNormConv1d, weight_norm_rows
from modelry_wav2vec2.configuration import Wav2Vec2Config
from modelry_wav2vec2.encoder import Wav2Vec2Adapter, Wav2Vec2Encoder
from modelry_wav2vec2.frames import (
    Wav2Vec2FeatureEncoder,
    Wav2Vec2FeatureProjection,
    frame_mask,
    least_samples,
)
from modelry_wav2vec2.outputs import Wav2Vec2BaseModelOutput


class Wav2Vec2Model(PreTrainedModel):
    """Convolutions, projection, encoder and, where the configuration has one, adapter."""

    config_class = Wav2Vec2Config
    base_model_prefix = "wav2vec2"
    main_input_name = "input_values"
    input_embeddings_name = "no tokens"
    weight_table: ClassVar[WeightTable | None] = WeightTable(*weight_norm_rows("encoder.pos_conv_embed.conv"))

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.feature_extractor = Wav2Vec2FeatureEncoder(config)
        self.feature_projection = Wav2Vec2FeatureProjection(config)
        if config.mask_time_prob > 0 or config.mask_feature_prob > 0:
            self.masked_spec_embed = nn.Parameter(torch.empty(config.hidden_size))
        self.encoder = Wav2Vec2Encoder(config)
        self.adapter = Wav2Vec2Adapter(config) if config.add_adapter else None

    def init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            super().init_weights(module)
        init_weights(module, self)

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        mask_time_indices: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Wav2Vec2BaseModelOutput:
        """Run a batch of waveforms.

        Args:
            input_values: (B, N), at the rate of the feature extractor.
            attention_mask: (B, N), 1 for samples and 0 for padding, which is on the right. Models with
                feat_extract_norm "group" were trained without one.
            mask_time_indices: (B, T), non-zero where a frame is hidden, in training and else.
            output_hidden_states: also return the input of each layer and the last output, (B, T, D).
            output_attentions: also return each layer's weights, (B, H, T, T); needs the eager attention.

        Raises:
            ValueError: the waveform is too short for one frame, or a mask has another shape.
        """
        config = self.config
        if input_values.dim() != 2 or input_values.shape[1] < least_samples(config):
            raise ValueError(
                f"input_values have the shape {tuple(input_values.shape)}: (rows, samples) is needed, with at least "
                f"{least_samples(config)} samples, which give one frame. Pad shorter sounds with zeros"
            )
        if attention_mask is not None and attention_mask.shape != input_values.shape:
            raise ValueError(
                f"attention_mask has the shape {tuple(attention_mask.shape)} and input_values "
                f"{tuple(input_values.shape)}: give one number for each sample"
            )
        if attention_mask is not None and int(attention_mask.sum(-1).min()) < least_samples(config):
            raise ValueError(
                f"row {int(attention_mask.sum(-1).argmin())} has {int(attention_mask.sum(-1).min())} samples: at least "
                f"{least_samples(config)} are needed, which give one frame. Pad shorter sounds with zeros"
            )
        frames = self.feature_extractor(input_values)  # (B, T, C)
        real = None if attention_mask is None else frame_mask(attention_mask, frames.shape[1], config, adapter=False)
        x, frames = self.feature_projection(frames)
        x = self._augmented(x, mask_time_indices, real)
        hidden = Kept() if output_hidden_states or config.output_hidden_states else None
        weights = Kept() if output_attentions or config.output_attentions else None
        x = self.encoder(x, real, hidden=hidden, weights=weights)
        if self.adapter is not None:
            x = self.adapter(x)
        return Wav2Vec2BaseModelOutput(
            last_hidden_state=x,
            extract_features=frames,
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )

    def freeze_feature_encoder(self) -> None:
        """Leave the convolutions from samples to frames as they are in training."""
        self.feature_extractor.requires_grad_(False)

    def _augmented(self, x: Tensor, hide: Tensor | None, real: Tensor | None) -> Tensor:
        """(B, T, D) with some frames replaced and, in training, some channels silenced."""
        config = self.config
        if not config.apply_spec_augment:
            return x
        rows, count, width = x.shape
        if hide is None and self.training and config.mask_time_prob > 0:
            hide = masked_spans(
                rows,
                count,
                share=config.mask_time_prob,
                span=config.mask_time_length,
                least=config.mask_time_min_masks,
                lengths=None if real is None else real.sum(-1),
                device=x.device,
            )
        if hide is not None:
            if not hasattr(self, "masked_spec_embed"):
                raise ConfigError("mask_time_indices need masked_spec_embed, which mask_time_prob 0 leaves out")
            x = torch.where(hide.bool()[:, :, None], self.masked_spec_embed.to(x.dtype), x)
        if self.training and config.mask_feature_prob > 0:
            silent = masked_spans(
                rows,
                width,
                share=config.mask_feature_prob,
                span=config.mask_feature_length,
                least=config.mask_feature_min_masks,
                device=x.device,
            )
            x = x.masked_fill(silent[:, None], 0.0)
        return x


def init_weights(module: nn.Module, base: Wav2Vec2Model) -> None:
    """The parts of a new model whose values are not those of other families."""
    if isinstance(module, WeightNormConv1d):
        kernel, channels = module.weight_v.shape[2], module.weight_v.shape[0]
        module.fill(2 * (kernel * channels) ** -0.5)
    elif isinstance(module, nn.Conv1d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            bound = (module.groups / (module.in_channels * module.kernel_size[0])) ** 0.5
            nn.init.uniform_(module.bias, -bound, bound)
    elif module is base.feature_projection.projection:
        bound = base.config.conv_dim[-1] ** -0.5
        nn.init.uniform_(base.feature_projection.projection.weight, -bound, bound)
        nn.init.uniform_(base.feature_projection.projection.bias, -bound, bound)
    elif isinstance(module, Wav2Vec2Model) and hasattr(module, "masked_spec_embed"):
        nn.init.uniform_(module.masked_spec_embed)
