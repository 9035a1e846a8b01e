"""What a Swin Transformer's config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from pydantic import Field

from modelry.nn.swin_config import SwinTransformerConfig


class SwinConfig(SwinTransformerConfig):
    """Field names are the published ones, defaults those of Swin-T.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["swin"] = "swin"
    encoder_stride: int = Field(32, gt=0, description="pixels that a place becomes in masked image modeling")
