"""What the int4 scheme may be told: the keys of quantization_config. No torch here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Int4Parameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: Literal[4] = 4
    group_size: Literal[32, 64, 128, 256] = Field(32, description="G, inputs that share a scale and a zero")
    modules_to_not_convert: list[str] | None = Field(
        None,
        description="layers that stay, by full name, by the last part of it, or by a module they are in; "
        "None: all that stand outside the base model, as lm_head and classifiers do",
    )
