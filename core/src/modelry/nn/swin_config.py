"""What configurations of Swin transformers have alike: Swin, and what keeps its stages. Plain data, no torch."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from modelry.backbone_config import BackboneConfig
from modelry.nn.image_sizes import ImageSize, check_heads, grid_of

Count = Annotated[int, Field(gt=0)]


class SwinTransformerConfig(BackboneConfig):
    """Field names are the published ones, defaults those of Swin-T.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    image_size: ImageSize = 224
    patch_size: ImageSize = 4
    num_channels: int = Field(3, gt=0)
    embed_dim: int = Field(96, gt=0, description="D of the first stage; doubled from stage to stage")
    depths: list[Count] = Field([2, 2, 6, 2], min_length=1, description="blocks of each stage")
    num_heads: list[Count] = Field([3, 6, 12, 24], description="H of each stage")
    window_size: int = Field(7, gt=0, description="M, patches")
    mlp_ratio: float = Field(4.0, gt=0, description="width inside the MLP over the stage's")
    qkv_bias: bool = True
    hidden_dropout_prob: float = Field(0.0, ge=0, lt=1)
    attention_probs_dropout_prob: float = Field(0.0, ge=0, lt=1)
    drop_path_rate: float = Field(0.1, ge=0, lt=1)
    hidden_act: str = "gelu"
    use_absolute_embeddings: bool = False
    layer_norm_eps: float = Field(1e-5, gt=0)

    @property
    def num_layers(self) -> int:
        """Stages."""
        return len(self.depths)

    @property
    def num_hidden_layers(self) -> int:
        """Stages, under the standard name."""
        return len(self.depths)

    @property
    def num_attention_heads(self) -> list[int]:
        """H of each stage, under the standard name."""
        return self.num_heads

    @property
    def hidden_size(self) -> int:
        """D of the last stage."""
        return self.stage_channels[-1]

    @property
    def stage_channels(self) -> list[int]:
        """As wide as the stage; the stem as the first."""
        return [self.embed_dim, *(self.embed_dim * 2**stage for stage in range(len(self.depths)))]

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if len(self.num_heads) != len(self.depths):
            raise ValueError(f"num_heads {self.num_heads} and depths {self.depths} are not of the same length")
        for stage, heads in enumerate(self.num_heads):
            check_heads(self.embed_dim * 2**stage, heads, names=(f"embed_dim of stage {stage + 1}", "num_heads"))
        grid_of(self.image_size, self.patch_size)
        return self
