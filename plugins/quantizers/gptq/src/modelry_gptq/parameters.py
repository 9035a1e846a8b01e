"""What a gptq quantization_config may say. No torch here."""

import warnings
from typing import Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from modelry.errors import ModelryWarning

CHANGE_NO_NUMBER = frozenset(
    {
        "act_group_aware",
        "backend",
        "batch_size",
        "block_name_to_quantize",
        "cache_block_outputs",
        "damp_auto_increment",
        "damp_percent",
        "dataset",
        "disable_exllama",
        "exllama_config",
        "hyb_act",
        "max_input_length",
        "meta",
        "model_file_base_name",
        "model_name_or_path",
        "model_seqlen",
        "module_name_preceding_first_block",
        "modules_in_block_to_quantize",
        "mse",
        "pack_impl",
        "pad_token_id",
        "parallel_packing",
        "static_groups",
        "tokenizer",
        "true_sequential",
        "use_cuda_fp16",
        "use_exllama",
        "v2",
        "v2_alpha",
    }
)
"""How a file was made, or which kernel its maker meant: kept, and of no effect here."""


class GptqParameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), validate_by_name=True)

    bits: Literal[4, 8] = 4
    group_size: int = Field(128, description="G, inputs that share a scale and a zero point; -1: all")
    desc_act: bool = Field(False, description="the groups are of inputs that need not be neighbours; g_idx says it")
    sym: bool = Field(True, description="the zero point is the middle; a file's own zero points are read in any case")
    lm_head: bool = Field(False, description="for packing: layers outside the base model are packed too")
    checkpoint_format: Literal["gptq", "gptq_v2"] = Field(
        "gptq",
        validation_alias=AliasChoices("checkpoint_format", "format"),
        description="gptq keeps zero points less 1, gptq_v2 as they are",
    )
    pack_dtype: Literal["int32"] = "int32"
    is_marlin_format: Literal[False] = False
    rotation: None = None
    adapter: None = None
    dynamic: dict[str, dict[str, Any]] | None = Field(None, description="pattern of layers to what is other there")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.group_size < 1 and self.group_size != -1:
            raise ValueError(f"group_size is {self.group_size}; a number of inputs, or -1 for all, is needed")
        for pattern, other in (self.dynamic or {}).items():
            for key, value in other.items():
                if not pattern.startswith("-:") and key in ("bits", "group_size") and value != getattr(self, key):
                    raise ValueError(
                        f"dynamic gives layers {pattern!r} {key} {value!r}, and the rest has {getattr(self, key)!r}; "
                        "a checkpoint of several kinds cannot be read"
                    )
        unknown = sorted(set(self.model_extra or ()) - CHANGE_NO_NUMBER)
        if unknown:
            warnings.warn(
                f"quantization gptq: {', '.join(unknown)} is not known here and has no effect",
                ModelryWarning,
                stacklevel=2,
            )
        return self
