"""What a DINOv2 config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal, Self

from pydantic import Field, model_validator

from modelry.backbone_config import BackboneConfig
from modelry.nn.image_sizes import ImageSize, check_heads, grid_of


class Dinov2Config(BackboneConfig):
    """Field names are the published ones, defaults those of DINOv2-B. Every layer is a stage.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["dinov2"] = "dinov2"
    hidden_size: int = Field(768, gt=0, description="D, width of the residual stream")
    num_hidden_layers: int = Field(12, gt=0)
    num_attention_heads: int = Field(12, gt=0, description="H")
    mlp_ratio: int | float = Field(4, gt=0, description="width inside the MLP over hidden_size")
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = Field(0.0, ge=0, lt=1)
    attention_probs_dropout_prob: float = Field(0.0, ge=0, lt=1)
    layer_norm_eps: float = Field(1e-6, gt=0)
    image_size: ImageSize = 224
    patch_size: ImageSize = 14
    num_channels: int = Field(3, gt=0)
    qkv_bias: bool = True
    layerscale_value: float = 1.0
    drop_path_rate: float = Field(0.0, ge=0, lt=1)
    use_swiglu_ffn: bool = False
    apply_layernorm: bool = Field(True, description="feature maps of the backbone are normalised")
    reshape_hidden_states: bool = Field(True, description="feature maps of the backbone are maps, not sequences")
    use_mask_token: bool = True

    @property
    def intermediate_size(self) -> int:
        """F; of a gated MLP two thirds, rounded up to a multiple of 8."""
        inner = int(self.hidden_size * self.mlp_ratio)
        return (int(inner * 2 / 3) + 7) // 8 * 8 if self.use_swiglu_ffn else inner

    @property
    def stage_channels(self) -> list[int]:
        """As wide as the residual stream."""
        return [self.hidden_size] * (self.num_hidden_layers + 1)

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        check_heads(self.hidden_size, self.num_attention_heads)
        grid_of(self.image_size, self.patch_size)
        return self
