"""What a SegFormer config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.image_sizes import check_heads

Count = Annotated[int, Field(gt=0)]
_LISTS = ("depths", "sr_ratios", "hidden_sizes", "patch_sizes", "strides", "num_attention_heads", "mlp_ratios")


class SegformerConfig(ModelConfig):
    """Field names are the published ones, defaults those of SegFormer-B0. Every list has a value for each stage.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    without_effect: ClassVar = ("downsampling_rates", "image_size")
    model_type: Literal["segformer"] = "segformer"
    num_channels: int = Field(3, gt=0)
    num_encoder_blocks: int = Field(4, gt=0, description="stages")
    depths: list[Count] = Field([2, 2, 2, 2], description="blocks")
    sr_ratios: list[Count] = Field([8, 4, 2, 1], description="by how much the map of keys is shrunk")
    hidden_sizes: list[Count] = Field([32, 64, 160, 256], description="D")
    patch_sizes: list[Count] = Field([7, 3, 3, 3], description="side of a patch, in pixels or places before it")
    strides: list[Count] = Field([4, 2, 2, 2], description="from patch to patch")
    num_attention_heads: list[Count] = Field([1, 2, 5, 8], description="H")
    mlp_ratios: list[int | float] = Field([4, 4, 4, 4], description="F over D")
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = Field(0.0, ge=0, lt=1)
    attention_probs_dropout_prob: float = Field(0.0, ge=0, lt=1)
    classifier_dropout_prob: float = Field(0.1, ge=0, lt=1)
    drop_path_rate: float = Field(0.1, ge=0, lt=1)
    layer_norm_eps: float = Field(1e-6, gt=0, description="of no effect: all norms have 1e-5, as published")
    decoder_hidden_size: int = Field(256, gt=0)
    semantic_loss_ignore_index: int = Field(255, description="a pixel of this class does not count")
    reshape_last_stage: bool = Field(True, description="the last hidden states are a map, not a sequence")

    @property
    def num_hidden_layers(self) -> int:
        """Stages, under the standard name."""
        return self.num_encoder_blocks

    @property
    def hidden_size(self) -> int:
        """D of the last stage."""
        return self.hidden_sizes[-1]

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        for name in _LISTS:
            found = getattr(self, name)
            if len(found) != self.num_encoder_blocks:
                raise ValueError(f"{name} {found} is not of length num_encoder_blocks {self.num_encoder_blocks}")
        for width, heads in zip(self.hidden_sizes, self.num_attention_heads, strict=True):
            check_heads(width, heads, names=("hidden_sizes", "num_attention_heads"))
        return self
