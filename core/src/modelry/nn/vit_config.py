"""What configurations of plain vision transformers have alike: ViT, and what keeps its layers. Plain data, no torch."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.image_sizes import ImageSize, check_heads, grid_of


class VisionTransformerConfig(ModelConfig):
    """Field names are the published ones, defaults those of ViT-B/16.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "encoder.layer.*.attention.attention.query": "colwise",
        "encoder.layer.*.attention.attention.key": "colwise",
        "encoder.layer.*.attention.attention.value": "colwise",
        "encoder.layer.*.attention.output.dense": "rowwise",
        "encoder.layer.*.intermediate.dense": "colwise",
        "encoder.layer.*.output.dense": "rowwise",
    }

    hidden_size: int = Field(768, gt=0, description="D, width of the residual stream")
    num_hidden_layers: int = Field(12, gt=0)
    num_attention_heads: int = Field(12, gt=0, description="H")
    intermediate_size: int = Field(3072, gt=0, description="F, width inside the MLP")
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = Field(0.0, ge=0, lt=1)
    attention_probs_dropout_prob: float = Field(0.0, ge=0, lt=1)
    layer_norm_eps: float = Field(1e-12, gt=0)
    image_size: ImageSize = 224
    patch_size: ImageSize = 16
    num_channels: int = Field(3, gt=0)
    qkv_bias: bool = True
    encoder_stride: int = Field(16, gt=0, description="pixels that a place becomes in masked image modeling")
    pooler_output_size: int | None = Field(None, gt=0, description="width of the pooled vector; hidden_size when null")
    pooler_act: str = "tanh"

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        check_heads(self.hidden_size, self.num_attention_heads)
        grid_of(self.image_size, self.patch_size)
        return self
