"""What a Qwen2 config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from pydantic import PositiveInt

from modelry.nn.decoder_config import WindowedDecoderConfig


class Qwen2Config(WindowedDecoderConfig):
    """Field names and defaults are the published ones, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["qwen2"] = "qwen2"
    vocab_size: PositiveInt = 151936
    intermediate_size: PositiveInt = 22016
    max_position_embeddings: PositiveInt = 32768
