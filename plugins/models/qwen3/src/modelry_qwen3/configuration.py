"""What a Qwen3 config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt, model_validator

from modelry.nn.decoder_config import ATTENTION_PLAN, HEAD_NORMS_PLAN, MLP_PLAN, WindowedDecoderConfig


class Qwen3Config(WindowedDecoderConfig):
    """Field names and defaults are the published ones, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {**ATTENTION_PLAN, **HEAD_NORMS_PLAN, **MLP_PLAN}

    model_type: Literal["qwen3"] = "qwen3"
    vocab_size: PositiveInt = 151936
    intermediate_size: PositiveInt = 22016
    max_position_embeddings: PositiveInt = 32768
    attention_bias: bool = False

    @model_validator(mode="before")
    @classmethod
    def _head_width(cls, values: Any) -> Any:
        """A head is 128 wide where the file does not say, whatever hidden_size is."""
        return {"head_dim": 128, **values} if isinstance(values, dict) else values
