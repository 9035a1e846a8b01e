"""What a Llama config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Any, Literal

from pydantic import model_validator

from modelry.nn.decoder_config import RotaryDecoderConfig


class LlamaConfig(RotaryDecoderConfig):
    """Field names are the published ones; defaults are those of the first Llama, as old files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["llama"] = "llama"
    attention_bias: bool = False
    mlp_bias: bool = False
    bos_token_id: int | list[int] | None = 1
    eos_token_id: int | list[int] | None = 2
    pretraining_tp: Literal[1] = 1  # sliced products, as one early converter had them, are refused

    @model_validator(mode="before")
    @classmethod
    def _first_files(cls, values: Any) -> Any:
        """The first files know nothing of grouped heads."""
        if not isinstance(values, dict):
            return values
        values = {"num_key_value_heads": None, **values}
        if values.get("pretraining_tp", 1) is None:
            del values["pretraining_tp"]
        return values
