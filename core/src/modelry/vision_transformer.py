"""The base model of plain vision transformers, pixel values in, hidden states of patches out; and its labels.

B images   T tokens, those in front and one for each patch   D hidden_size   F intermediate_size
Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.heads.image_classification import ImageClassification
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.kept import Kept
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.patches import ImageEmbeddings
from modelry.nn.vit_attention import Projection, ViTAttention, ViTLayers, feed_forward
from modelry.nn.vit_config import VisionTransformerConfig
from modelry.outputs import BaseModelOutputWithPooling


class VisionTransformerLayer(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: VisionTransformerConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.attention = ViTAttention(
            width, config.num_attention_heads, bias=config.qkv_bias, dropout=config.attention_probs_dropout_prob
        )
        self.intermediate = Projection(width, inner)
        self.output = Projection(inner, width)
        self.layernorm_before = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.layernorm_after = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.act = activation(config.hidden_act)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        x = x + self.dropout(self.attention(self.layernorm_before(x), mask))
        return feed_forward(x, self.layernorm_after, self.intermediate, self.act, self.output, self.dropout)


class FirstTokenPooler(nn.Module):
    """One vector for the whole image, from the class token."""

    def __init__(self, config: VisionTransformerConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.pooler_output_size or config.hidden_size)
        self.act = activation(config.pooler_act)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.dense(x[:, 0]))


class VisionTransformer(PreTrainedModel):
    """Embeddings, layers, the last norm and a pooler. A family names its configuration and its prefix.

    Args:
        config: of the model.
        pooling: whether there is a pooler.
        masking: whether there is a mask token.
        distilled: whether there is a distillation token behind the class token.
    """

    config_class = VisionTransformerConfig
    main_input_name = "pixel_values"
    input_embeddings_name = "embeddings.patch_embeddings"
    optional_parts = ("pooler.", "embeddings.mask_token")

    def __init__(
        self, config: VisionTransformerConfig, *, pooling: bool = True, masking: bool = False, distilled: bool = False
    ) -> None:
        super().__init__(config)
        self.embeddings = ImageEmbeddings(
            config.num_channels,
            config.hidden_size,
            image_size=config.image_size,
            patch_size=config.patch_size,
            mask_shape=(1, 1, config.hidden_size) if masking else None,
            distilled=distilled,
            dropout=config.hidden_dropout_prob,
            spread=config.initializer_range,
        )
        self.encoder = ViTLayers(VisionTransformerLayer(config) for _ in range(config.num_hidden_layers))
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.pooler = FirstTokenPooler(config) if pooling else None

    def forward(
        self,
        pixel_values: Tensor | None = None,
        bool_masked_pos: Tensor | None = None,
        interpolate_pos_encoding: bool | None = None,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Run the images.

        Args:
            pixel_values: (B, channels, height, width).
            bool_masked_pos: (B, patches) bool, True for patches that the mask token stands in for.
            interpolate_pos_encoding: take images of another size than config.image_size.
            attention_mask: (B, T), 0 for tokens that nobody looks at; rarely wanted.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and after the last.
            output_attentions: also return each layer's weights, (B, H, T, T); needs the eager attention.

        Raises:
            ValueError: images of another size or with other channels, or a mask without a mask token.
        """
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden = Kept() if output_hidden_states or self.config.output_hidden_states else None
        x, _ = self.embeddings(pixel_values, bool_masked_pos, any_size=bool(interpolate_pos_encoding))  # (B, T, D)
        x = self.encoder(x, bidirectional_mask(attention_mask, keys=x.shape[1], weights=weights), hidden)
        x = self.layernorm(x)
        return BaseModelOutputWithPooling(
            last_hidden_state=x,
            pooler_output=None if self.pooler is None else self.pooler(x),
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )


class ClassTokenClassification(ImageClassification):
    """A vision transformer that gives an image its labels, from the class token. A family names its base model."""

    base_options: ClassVar[Mapping[str, Any]] = {"pooling": False}

    def describe(self, out: Any) -> Tensor:
        """The class token, (B, D)."""
        first: Tensor = out.last_hidden_state[:, 0]
        return first
