"""What the config.json of Donut's image encoder means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from modelry.nn.swin_config import SwinTransformerConfig


class DonutSwinConfig(SwinTransformerConfig):
    """Field names and defaults are the published ones, those of Swin-T.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["donut-swin"] = "donut-swin"
    use_absolute_embeddings: Literal[False] = False  # as published it has one position too many, and never ran
