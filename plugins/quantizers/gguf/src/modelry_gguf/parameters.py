"""What the gguf scheme may be told: the keys of quantization_config. No torch here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PackedType = Literal["Q4_0", "Q4_1", "Q8_0"]
"""Block types that stay packed in memory."""


class GgufParameters(BaseModel):
    """Keys of quantization_config besides quant_method. A .gguf file says them itself: give none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight_type: PackedType | None = Field(None, description="of the blocks; None: as the .gguf file has them")
    other_types: dict[str, PackedType] = Field(
        default_factory=dict, description="layers whose blocks are of another type, by full name"
    )
    modules_to_not_convert: list[str] | None = Field(
        None,
        description="layers that stay, by full name, by the last part of it, or by a module they are in; "
        "None: all that stand outside the base model, as lm_head and classifiers do",
    )
