"""What a Mistral config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal

from pydantic import Field, PositiveInt

from modelry.nn.decoder_config import FULL, SLIDING, RotaryDecoderConfig


class MistralConfig(RotaryDecoderConfig):
    """Field names are the published ones; defaults are those of Mistral 7B, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["mistral"] = "mistral"
    intermediate_size: PositiveInt = 14336
    num_key_value_heads: PositiveInt = 8
    max_position_embeddings: PositiveInt = 131072
    bos_token_id: int | list[int] | None = 1
    eos_token_id: int | list[int] | None = 2
    sliding_window: PositiveInt | None = Field(4096, description="positions that a query sees; null for all")

    @property
    def layer_types(self) -> list[str]:
        """What each layer sees: all alike."""
        return [FULL if self.sliding_window is None else SLIDING] * self.num_hidden_layers
