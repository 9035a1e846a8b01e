"""What a DeiT config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from modelry.nn.vit_config import VisionTransformerConfig


class DeiTConfig(VisionTransformerConfig):
    """Field names are the published ones, defaults those of DeiT-B/16.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["deit"] = "deit"
