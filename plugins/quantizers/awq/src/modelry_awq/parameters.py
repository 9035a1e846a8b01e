"""What an awq quantization_config may say. No torch here."""

import warnings
from typing import Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from modelry.errors import ModelryWarning

CHANGE_NO_NUMBER = frozenset(("backend", "do_fuse", "exllama_config", "fuse_max_seq_len", "meta", "modules_to_fuse"))
"""How a file was made, or which kernel its maker meant: kept, and of no effect here."""


class AwqParameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="allow", frozen=True, validate_by_name=True)

    bits: Literal[4, 8] = Field(4, validation_alias=AliasChoices("bits", "w_bit"))
    group_size: int = Field(
        128,
        validation_alias=AliasChoices("group_size", "q_group_size"),
        description="G, inputs that share a scale and a zero point; -1: all",
    )
    zero_point: bool = Field(True, description="False: the zero point is the middle where a file has none")
    version: Literal["gemm", "gemv", "exllama", "ipex"] = Field(
        "gemm", description="layout: gemv keeps a row together; exllama and ipex are gemm's, for another kernel"
    )
    modules_to_not_convert: list[str] | None = Field(
        None,
        description="for packing: layers that stay, by full name, by the last part of it, or by a module they are in; "
        "None: all that stand outside the base model, as lm_head and classifiers do",
    )

    @field_validator("version", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.group_size < 1 and self.group_size != -1:
            raise ValueError(f"group_size is {self.group_size}; a number of inputs, or -1 for all, is needed")
        if self.version == "gemv" and self.bits != 4:
            raise ValueError(f"bits is {self.bits}; the layout of version gemv has 4")
        unknown = sorted(set(self.model_extra or ()) - CHANGE_NO_NUMBER)
        if unknown:
            warnings.warn(
                f"quantization awq: {', '.join(unknown)} is not known here and has no effect",
                ModelryWarning,
                stacklevel=2,
            )
        return self
