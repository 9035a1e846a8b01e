"""What a torchao quantization_config may say: the published keys. No torch here."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

NAMES = {
    "int4_weight_only": "Int4WeightOnlyConfig",
    "int8_weight_only": "Int8WeightOnlyConfig",
    "int8_dynamic_activation_int8_weight": "Int8DynamicActivationInt8WeightConfig",
    "float8_weight_only": "Float8WeightOnlyConfig",
}
"""Names of configurations that older files have and people type, to torchao's classes."""


class TorchAoParameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quant_type: str | dict[str, Any] = Field(description="a name, or a configuration as torchao writes it")
    quant_type_kwargs: dict[str, Any] = Field(
        {}, description="what a configuration that is named is told: group_size …"
    )
    modules_to_not_convert: list[str] | None = Field(
        None,
        description="layers that stay, by full name, by the last part of it, or by a module they are in; "
        "None: all that stand outside the base model, as lm_head and classifiers do",
    )
    include_input_output_embeddings: Literal[False] = False
    untie_embedding_weights: Literal[False] = False

    @field_validator("quant_type")
    @classmethod
    def _known(cls, value: str | dict[str, Any]) -> str | dict[str, Any]:
        if isinstance(value, str):
            if value not in NAMES:
                raise ValueError(
                    f"no such name; there are {', '.join(NAMES)}, and configurations as torchao writes them"
                )
            return value
        inner = value.get("default") if value.keys() == {"default"} else value
        if not isinstance(inner, dict) or not isinstance(inner.get("_type"), str):
            raise ValueError('a configuration is {"default": {"_type": …, "_data": …}}, the same for all layers')
        return value
