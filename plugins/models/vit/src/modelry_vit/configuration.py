"""What a Vision Transformer's config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from modelry.nn.vit_config import VisionTransformerConfig


class ViTConfig(VisionTransformerConfig):
    """Field names are the published ones, defaults those of ViT-B/16.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["vit"] = "vit"
