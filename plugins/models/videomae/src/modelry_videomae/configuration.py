"""What a VideoMAE config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.image_sizes import ImageSize, as_pair, check_heads, grid_of


class VideoMAEConfig(ModelConfig):
    """Field names are the published ones, defaults those of VideoMAE-B. Older files say qkv_bias for qv_bias.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["videomae"] = "videomae"
    image_size: ImageSize = 224
    patch_size: ImageSize = 16
    num_channels: int = Field(3, gt=0)
    num_frames: int = Field(16, gt=0, description="of every video")
    tubelet_size: int = Field(2, gt=0, description="frames of a tubelet")
    hidden_size: int = Field(768, gt=0, description="D, width of the residual stream")
    num_hidden_layers: int = Field(12, gt=0)
    num_attention_heads: int = Field(12, gt=0, description="H")
    intermediate_size: int = Field(3072, gt=0, description="F, width inside the MLP")
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = Field(0.0, ge=0, lt=1)
    attention_probs_dropout_prob: float = Field(0.0, ge=0, lt=1)
    layer_norm_eps: float = Field(1e-12, gt=0)
    qv_bias: bool = Field(True, description="whether queries and values have a bias; keys never have one")
    use_mean_pooling: bool = Field(True, description="labels are read off the mean of all tubelets, not the first one")
    decoder_hidden_size: int = Field(384, gt=0, description="of pretraining, as what follows")
    decoder_num_hidden_layers: int = Field(4, ge=0)
    decoder_num_attention_heads: int = Field(6, gt=0)
    decoder_intermediate_size: int = Field(1536, gt=0)
    norm_pix_loss: bool = Field(True, description="pixels are normalised tubelet by tubelet before they are learned")

    @property
    def tubelet(self) -> tuple[int, int, int]:
        """Frames, height and width in pixels of one tubelet."""
        return (self.tubelet_size, *as_pair(self.patch_size))

    @property
    def num_tubelets(self) -> int:
        """N, of a whole video."""
        rows, columns = grid_of(self.image_size, self.patch_size)
        return self.num_frames // self.tubelet_size * rows * columns

    @model_validator(mode="before")
    @classmethod
    def _older_spelling(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "qkv_bias" in values:
            values = dict(values)
            values["qv_bias"] = values.pop("qkv_bias")
        return values

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        check_heads(self.hidden_size, self.num_attention_heads)
        check_heads(
            self.decoder_hidden_size,
            self.decoder_num_attention_heads,
            names=("decoder_hidden_size", "decoder_num_attention_heads"),
        )
        if self.num_frames < self.tubelet_size:
            raise ValueError(f"num_frames {self.num_frames} is less than tubelet_size {self.tubelet_size}")
        grid_of(self.image_size, self.patch_size)
        return self
