"""What a bitsandbytes quantization_config may say: the published keys. No torch here."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REPEATED = ("_load_in_4bit", "_load_in_8bit")
"""Published files say these twice."""


class BitsAndBytesParameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    load_in_4bit: bool = False
    load_in_8bit: bool = False
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "fp4"
    bnb_4bit_use_double_quant: bool = Field(False, description="the blocks' scales are 8-bit integers themselves")
    bnb_4bit_compute_dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        None, description="of 4-bit products; None: of their input"
    )
    bnb_4bit_quant_storage: Literal["uint8"] = "uint8"
    llm_int8_threshold: float = Field(6.0, ge=0, description="inputs with a larger value are multiplied in 16 bits")
    llm_int8_skip_modules: list[str] | None = Field(
        None,
        description="layers that stay, by full name, by the last part of it, or by a module they are in; "
        "None: all that stand outside the base model. A packed checkpoint says itself what it has packed",
    )
    llm_int8_has_fp16_weight: Literal[False] = False
    llm_int8_enable_fp32_cpu_offload: bool = Field(False, description="of no effect: layers are packed on any device")

    @model_validator(mode="before")
    @classmethod
    def _without_repetitions(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if key not in REPEATED}

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.load_in_4bit == self.load_in_8bit:
            raise ValueError(
                f"load_in_4bit is {self.load_in_4bit} and load_in_8bit is {self.load_in_8bit}: "
                "exactly one shall be true"
            )
        return self
