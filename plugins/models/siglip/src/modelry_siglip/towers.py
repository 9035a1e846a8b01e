"""SigLIP's two sides, each alone: texts in which all tokens see each other, and patches without a class token.

B rows   T positions   D hidden_size
Paper: https://arxiv.org/abs/2303.15343.
"""

import torch
from torch import Tensor

from modelry.configuration import ModelConfig
from modelry.heads.towers import TextTower, VisionTower
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask
from modelry_siglip.configuration import SiglipTextConfig, SiglipVisionConfig
from modelry_siglip.pooling import AttentionPooling


class SiglipTextModel(TextTower):
    """The last position describes the text, padding or not: texts are padded to the full length, as in training."""

    config_class = SiglipTextConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.head = Linear(self.config.hidden_size, self.config.projection_size)

    def see(
        self, attention_mask: Tensor | None, *, new: int, device: torch.device, weights: list[Tensor] | None
    ) -> Mask:
        """All that is no padding; the padding too where nothing says which it is."""
        return bidirectional_mask(attention_mask, keys=new, weights=weights)

    def pool(self, x: Tensor, input_ids: Tensor | None) -> Tensor:
        """The last position's vector, projected."""
        pooled: Tensor = self.head(x[:, -1])
        return pooled


class SiglipVisionModel(VisionTower):
    """The patches, normalised, and where there is a head the vector that it makes of them."""

    config_class = SiglipVisionConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.head = AttentionPooling(self.config) if self.config.vision_use_head else None

    def end(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The normalised stream, and what the head makes of it."""
        last = self.post_layernorm(x)
        return last, None if self.head is None else self.head(last)
