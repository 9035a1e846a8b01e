"""DINOv2: pixel values in, hidden states of patches or feature maps out. No files, devices or image preparation here.

B images   T tokens, the class token and one for each patch   G, K rows and columns of patches   D hidden_size
F width inside the MLP
Paper: https://arxiv.org/abs/2304.07193.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.heads.backbone import Backbone
from modelry.heads.image_classification import ImageClassification
from modelry.image_outputs import BackboneOutput
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.kept import Kept
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.mlp import PlainMLP
from modelry.nn.patches import ImageEmbeddings
from modelry.nn.residual import LayerScale, drop_path
from modelry.nn.vit_attention import ViTAttention, ViTLayers
from modelry.outputs import BaseModelOutputWithPooling
from modelry_dinov2.configuration import Dinov2Config


class Dinov2SwiGLUFFN(nn.Module):
    """A gated MLP whose first projection is stored whole: the gate's rows, then the others."""

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__()
        self.weights_in = Linear(config.hidden_size, 2 * config.intermediate_size)
        self.weights_out = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.weights_in(x).chunk(2, dim=-1)  # (B, T, F) each
        out: Tensor = self.weights_out(F.silu(gate) * up)  # (B, T, D)
        return out


class Dinov2Layer(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream and scaled channel by channel."""

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__()
        width = config.hidden_size
        self.norm1 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attention = ViTAttention(
            width, config.num_attention_heads, bias=config.qkv_bias, dropout=config.attention_probs_dropout_prob
        )
        self.layer_scale1 = LayerScale(width, start=config.layerscale_value)
        self.norm2 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.mlp: nn.Module
        if config.use_swiglu_ffn:
            self.mlp = Dinov2SwiGLUFFN(config)
        else:
            self.mlp = PlainMLP(width, config.intermediate_size, act=activation(config.hidden_act))
        self.layer_scale2 = LayerScale(width, start=config.layerscale_value)
        self.drop_path_rate = config.drop_path_rate

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        added = self.layer_scale1(self.attention(self.norm1(x), mask))
        x = x + drop_path(added, self.drop_path_rate, training=self.training)
        added = self.layer_scale2(self.mlp(self.norm2(x)))
        return x + drop_path(added, self.drop_path_rate, training=self.training)


def dinov2_embeddings(config: Dinov2Config) -> ImageEmbeddings:
    """Class token, patches, positions, and a mask token where the configuration has one."""
    return ImageEmbeddings(
        config.num_channels,
        config.hidden_size,
        image_size=config.image_size,
        patch_size=config.patch_size,
        mask_shape=(1, config.hidden_size) if config.use_mask_token else None,
        dropout=config.hidden_dropout_prob,
        spread=config.initializer_range,
    )


class Dinov2Model(PreTrainedModel):
    """Embeddings, layers and the last norm. Images may be of any size: positions are interpolated."""

    config_class = Dinov2Config
    base_model_prefix = "dinov2"
    main_input_name = "pixel_values"
    input_embeddings_name = "embeddings.patch_embeddings"

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__(config)
        self.embeddings = dinov2_embeddings(config)
        self.encoder = ViTLayers(Dinov2Layer(config) for _ in range(config.num_hidden_layers))
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Run the images.

        Args:
            pixel_values: (B, channels, height, width).
            bool_masked_pos: (B, T - 1) bool, True for patches that the mask token stands in for.
            attention_mask: (B, T), 0 for tokens that nobody looks at; rarely wanted.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and after the last.
            output_attentions: also return each layer's weights, (B, H, T, T); needs the eager attention.

        Raises:
            ValueError: images smaller than a patch or with other channels, or a mask without a mask token.
        """
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden = Kept() if output_hidden_states or self.config.output_hidden_states else None
        x, _ = self.embeddings(pixel_values, bool_masked_pos, any_size=True)  # (B, T, D)
        x = self.encoder(x, bidirectional_mask(attention_mask, keys=x.shape[1], weights=weights), hidden)
        x = self.layernorm(x)
        return BaseModelOutputWithPooling(
            last_hidden_state=x,
            pooler_output=x[:, 0],
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )


class Dinov2ForImageClassification(ImageClassification):
    """DINOv2 that gives an image its labels, from the class token and the mean of the patches."""

    base_class = Dinov2Model
    base_model_prefix = "dinov2"

    def width(self) -> int:
        """Both, one behind the other."""
        return 2 * super().width()

    def describe(self, out: Any) -> Tensor:
        """The class token, then the mean of the patches, (B, 2 D)."""
        x: Tensor = out.last_hidden_state
        return torch.cat((x[:, 0], x[:, 1:].mean(dim=1)), dim=1)


class Dinov2Backbone(Backbone):
    """DINOv2 that gives feature maps, one for each layer that config.out_features names."""

    config_class = Dinov2Config
    base_model_prefix = "dinov2"
    input_embeddings_name = "embeddings.patch_embeddings"

    def __init__(self, config: Dinov2Config) -> None:
        super().__init__(config)
        self.embeddings = dinov2_embeddings(config)
        self.encoder = ViTLayers(Dinov2Layer(config) for _ in range(config.num_hidden_layers))
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BackboneOutput:
        """Run the images; (B, D, G, K) for each stage, or (B, T, D) where config.reshape_hidden_states is false.

        Args:
            pixel_values: (B, channels, height, width).
            attention_mask: (B, T), 0 for tokens that nobody looks at; rarely wanted.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and after the last.
            output_attentions: also return each layer's weights, (B, H, T, T); needs the eager attention.

        Raises:
            ValueError: images smaller than a patch or with other channels.
        """
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden = Kept()
        x, grid = self.embeddings(pixel_values, any_size=True)  # (B, T, D)
        self.encoder(x, bidirectional_mask(attention_mask, keys=x.shape[1], weights=weights), hidden)
        wanted = [hidden[self.stage_names.index(name)] for name in self.out_features]
        return BackboneOutput(
            feature_maps=tuple(self._feature_map(one, grid) for one in wanted),
            hidden_states=tuple(hidden) if output_hidden_states or self.config.output_hidden_states else None,
            attentions=None if weights is None else tuple(weights),
        )

    def _feature_map(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        x = self.layernorm(x) if self.config.apply_layernorm else x
        if not self.config.reshape_hidden_states:
            return x
        return x[:, 1:].transpose(1, 2).reshape(x.shape[0], -1, *grid)
