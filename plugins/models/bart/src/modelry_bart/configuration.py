"""What a BART config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from modelry.nn.encoder_decoder_config import EncoderDecoderConfig


class BartConfig(EncoderDecoderConfig):
    """Field names and defaults are the published ones; three labels where the file names none.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    without_effect: ClassVar = ("classif_dropout", "force_bos_token_to_be_generated")
    model_type: Literal["bart"] = "bart"
    decoder_start_token_id: int | None = 2
    forced_eos_token_id: int | list[int] | None = 2
    add_final_layer_norm: Literal[False] = False  # of BART's cousins, which are families of their own
    add_bias_logits: Literal[False] = False
    normalize_before: Literal[False] = False
    normalize_embedding: Literal[True] = True
    static_position_embeddings: Literal[False] = False
    extra_pos_embeddings: int = Field(2, ge=2, le=2, description="unread rows before the first position")

    @model_validator(mode="before")
    @classmethod
    def _labels(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("id2label") is None and "num_labels" not in values:
            values = {**values, "num_labels": 3}
        return values
