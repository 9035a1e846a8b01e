"""The two sides of models that compare images with texts, each a model of its own. A family says how a side sees,
enters and ends; the rest is the same for all.

B rows   T positions   V vocabulary   D hidden width
"""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from modelry.checkpoint.weight_table import Ignore, WeightTable
from modelry.configuration import ModelConfig
from modelry.model import PreTrainedModel
from modelry.nn.kept import Kept
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.pre_norm import PreNormEncoder
from modelry.nn.tower_config import TextTowerConfig, VisionTowerConfig
from modelry.nn.tower_embeddings import PatchesWithPositions, TokensWithPositions
from modelry.outputs import BaseModelOutputWithPooling


class TextTower(PreTrainedModel):
    """Ids in, hidden states and one vector for each text out."""

    config_class = TextTowerConfig
    base_model_prefix = "text_model"
    input_embeddings_name = "embeddings.token_embedding"
    weight_table = WeightTable(Ignore("embeddings.position_ids"))

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        values: Any = self.config
        self.embeddings = TokensWithPositions(values)
        self.encoder = PreNormEncoder(values)
        self.final_layer_norm = nn.LayerNorm(values.hidden_size, eps=values.layer_norm_eps)

    @abstractmethod
    def see(
        self, attention_mask: Tensor | None, *, new: int, device: torch.device, weights: list[Tensor] | None
    ) -> Mask:
        """Who looks at whom among `new` positions."""

    @abstractmethod
    def pool(self, x: Tensor, input_ids: Tensor | None) -> Tensor | None:
        """One vector for each text, (B, D), of (B, T, D); None where it cannot be told."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Read texts.

        Args:
            input_ids: (B, T) int64.
            attention_mask: (B, T), 0 at padding.
            position_ids: (B, T) int64; counted from the first column when None.
            inputs_embeds: (B, T, D), instead of the ids' own vectors.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and after the last.
            output_attentions: also return each layer's weights, (B, H, T, T); needs the eager attention.

        Raises:
            ValueError: nothing is given, or a text has more positions than the model.
        """
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden = Kept() if output_hidden_states or self.config.output_hidden_states else None
        x = self.embeddings(input_ids, position_ids, inputs_embeds)  # (B, T, D)
        mask = self.see(attention_mask, new=x.shape[1], device=x.device, weights=weights)
        x = self.final_layer_norm(self.encoder(x, mask, hidden))
        return BaseModelOutputWithPooling(
            last_hidden_state=x,
            pooler_output=self.pool(x, input_ids),
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )


class VisionTower(PreTrainedModel):
    """Pixel values in, hidden states of patches and one vector for each image out.

    Args:
        config: of the images' side.
        class_token: whether there is one before the patches.
    """

    config_class = VisionTowerConfig
    base_model_prefix = "vision_model"
    main_input_name = "pixel_values"
    input_embeddings_name = "embeddings.patch_embedding"
    weight_table = WeightTable(Ignore("embeddings.position_ids"))

    def __init__(self, config: ModelConfig, *, class_token: bool = False) -> None:
        super().__init__(config)
        values: Any = self.config
        self.embeddings = PatchesWithPositions(values, class_token=class_token, bias=not class_token)
        self.encoder = PreNormEncoder(values)
        self.post_layernorm = nn.LayerNorm(values.hidden_size, eps=values.layer_norm_eps)

    def enter(self, x: Tensor) -> Tensor:
        """What the first layer sees, (B, T, D)."""
        return x

    @abstractmethod
    def end(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The last hidden state (B, T, D), and one vector for each image (B, D), where there is one."""

    def forward(
        self,
        pixel_values: Tensor | None = None,
        interpolate_pos_encoding: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Look at images.

        Args:
            pixel_values: (B, channels, height, width).
            interpolate_pos_encoding: take images of another size than config.image_size.
            output_hidden_states: as for texts.
            output_attentions: as for texts.

        Raises:
            ValueError: nothing is given, or images of another size or with other channels.
        """
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden = Kept() if output_hidden_states or self.config.output_hidden_states else None
        x = self.enter(self.embeddings(pixel_values, any_size=bool(interpolate_pos_encoding)))  # (B, T, D)
        last, pooled = self.end(self.encoder(x, bidirectional_mask(weights=weights), hidden))
        return BaseModelOutputWithPooling(
            last_hidden_state=last,
            pooler_output=pooled,
            hidden_states=None if hidden is None else tuple(hidden),
            attentions=None if weights is None else tuple(weights),
        )
