"""What an mBART config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from modelry.nn.encoder_decoder_config import EncoderDecoderConfig


class MBartConfig(EncoderDecoderConfig):
    """Field names and defaults are the published ones. Answers begin with a language's token, so nothing is the start.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["mbart"] = "mbart"
    forced_eos_token_id: int | list[int] | None = 2
    add_final_layer_norm: Literal[True] = True  # of files by the first converter; another value is refused
    add_bias_logits: Literal[False] = False
    normalize_before: Literal[True] = True
    normalize_embedding: Literal[True] = True
    static_position_embeddings: Literal[False] = False
