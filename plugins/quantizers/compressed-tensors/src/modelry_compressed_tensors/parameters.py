"""What a quantization_config of compressed-tensors says: the published keys, checked. No torch here."""

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator, model_validator

Format = Literal["pack-quantized", "int-quantized", "naive-quantized", "float-quantized", "dense", "mixed-precision"]
"""Sparse formats (sparse-bitmask, sparse-24-bitmask, marlin-24) and 4-bit floats (nvfp4, mxfp4) are not read."""


class Rounding(BaseModel):
    """How weights, or activations, were rounded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_bits: StrictInt = Field(8, gt=0)
    type: Literal["int", "float"] = "int"
    symmetric: StrictBool = True
    strategy: Literal["tensor", "channel", "group", "block", "token", "tensor_group", "attn_head"] | None = None
    group_size: StrictInt | None = Field(None, description="inputs that share a scale; -1: a row is one group")
    block_structure: tuple[StrictInt, StrictInt] | None = Field(None, description="outputs, inputs that share a scale")
    dynamic: StrictBool | Literal["local"] = False
    actorder: Literal["group", "weight", "static", "dynamic"] | StrictBool | None = None
    observer: str | None = None
    observer_kwargs: dict[str, Any] | None = None
    scale_dtype: str | None = None
    zp_dtype: str | None = None

    @field_validator("block_structure", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """Older files write "128x128"."""
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}x\d{1,9}", value):
            return tuple(map(int, value.split("x")))
        return value

    @property
    def scope(self) -> str:
        """What shares a scale; where strategy is not said, group_size tells."""
        if self.strategy is not None:
            return self.strategy
        if self.group_size is None:
            return "tensor"
        return "group" if self.group_size > 0 else "channel"


class Weights(Rounding):
    """How weights were rounded: what can be read."""

    num_bits: Literal[4, 8] = 8
    dynamic: Literal[False] = False
    strategy: Literal["tensor", "channel", "group", "block"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type == "float" and self.num_bits != 8:
            raise ValueError("num_bits 4 of type float is not read; floating weights have 8 bits")
        if self.type == "float" and not self.symmetric:
            raise ValueError("symmetric is false, and floating weights have no zero points")
        if self.group_size is not None and self.group_size < 1 and self.group_size != -1:
            raise ValueError(f"group_size {self.group_size} is neither positive nor -1")
        if (self.scope == "group") != (self.group_size is not None and self.group_size > 0):
            raise ValueError(f"strategy {self.scope} contradicts group_size {self.group_size}")
        if (self.scope == "block") != (self.block_structure is not None):
            raise ValueError(f"strategy {self.scope} contradicts block_structure {self.block_structure}")
        if self.block_structure is not None and min(self.block_structure) < 1:
            raise ValueError(f"block_structure {list(self.block_structure)} is not positive")
        if self.reordered and self.scope != "group":
            raise ValueError(f"actorder {self.actorder} needs strategy group, and it is {self.scope}")
        return self

    @property
    def reordered(self) -> bool:
        """Whether inputs of a group are not neighbours: weight_g_idx says which group each is in."""
        return self.actorder in ("group", "dynamic", True)


class Scheme(BaseModel):
    """One of config_groups."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: list[str] = Field(description='layers by full name, by class ("Linear"), or by "re:" and a pattern')
    weights: Weights | None = None
    input_activations: Rounding | None = None
    output_activations: Rounding | None = None
    format: Format | None = None

    @field_validator("targets")
    @classmethod
    def _patterns(cls, value: list[str]) -> list[str]:
        return _compiled(value)


def _compiled(names: list[str]) -> list[str]:
    for name in names:
        if name.startswith("re:"):
            try:
                re.compile(name[3:])
            except re.error as error:
                raise ValueError(f"{name!r} is no regular expression: {error}") from error
    return names


FOUR_BITS = Scheme(targets=["Linear"], weights=Weights(num_bits=4, symmetric=True, strategy="group", group_size=128))


class CompressedTensorsParameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config_groups: dict[str, Scheme] = Field({"group_0": FOUR_BITS}, min_length=1)
    format: Format = "pack-quantized"
    ignore: list[str] | None = Field(
        None,
        description="layers that stay, as in targets; None: none of a file, and those outside the base model when "
        "a float model is packed",
    )
    quantization_status: Literal["compressed", "frozen"] = "compressed"
    kv_cache_scheme: Rounding | None = None
    global_compression_ratio: float | None = None
    sparsity_config: dict[str, Any] | None = None
    transform_config: dict[str, Any] | None = None
    version: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_not_used(cls, values: Any) -> Any:
        """Newer files name things that are younger than this, and say None where they have none of it."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None or name in cls.model_fields}

    @field_validator("ignore")
    @classmethod
    def _patterns(cls, value: list[str] | None) -> list[str] | None:
        return None if value is None else _compiled(value)

    @field_validator("sparsity_config")
    @classmethod
    def _dense(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("format", "dense") != "dense":
            raise ValueError(
                "sparse weights are not read; take the checkpoint without sparsity, or make it dense first"
            )
        return value

    @field_validator("transform_config")
    @classmethod
    def _no_transforms(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value and value.get("config_groups"):
            raise ValueError("rotations of weights and activations are not read")
        return value

    @model_validator(mode="after")
    def _formats_hold_the_weights(self) -> Self:
        for name, scheme in self.config_groups.items():
            kind = self.format_of(scheme)
            where = f"config_groups.{name}"
            if scheme.weights is None:
                continue
            if kind == "mixed-precision":
                raise ValueError(f"format is mixed-precision, and {where} has no format of its own")
            wanted = {"pack-quantized": "int", "int-quantized": "int", "float-quantized": "float"}.get(kind)
            if wanted not in (None, scheme.weights.type):
                raise ValueError(
                    f"format {kind} holds {wanted} weights, and {where}.weights.type is {scheme.weights.type}"
                )
            if kind == "pack-quantized" and scheme.weights.scope == "block":
                raise ValueError(f"format {kind} holds no blocks, and {where}.weights.strategy is block")
            if kind == "pack-quantized" and scheme.weights.scope == "tensor" and not scheme.weights.symmetric:
                raise ValueError(
                    f"format {kind} holds no zero point of a tensor, and {where}.weights.symmetric is false"
                )
        return self

    def format_of(self, scheme: Scheme) -> str:
        """Of the files' tensors of a group."""
        return scheme.format or self.format
