"""What a LayoutLMv3 config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from modelry.nn.encoder_config import EncoderConfig
from modelry.nn.image_sizes import check_heads


class LayoutLMv3Config(EncoderConfig):
    """Field names are the published ones; defaults are those of LayoutLMv3 base, as old files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    without_effect: ClassVar = ("has_visual_segment_embedding", "second_input_size")
    model_type: Literal["layoutlmv3"] = "layoutlmv3"
    vocab_size: int = Field(50265, gt=0, description="V, tokens")
    layer_norm_eps: float = Field(1e-5, gt=0)
    pad_token_id: int = Field(1, ge=0, description="positions of a text begin behind it")
    bos_token_id: int | None = 0
    eos_token_id: int | list[int] | None = 2
    max_2d_position_embeddings: int = Field(1024, gt=0, description="coordinates, from 0 on")
    coordinate_size: int = Field(128, gt=0, description="width of each of four coordinates of a box")
    shape_size: int = Field(128, gt=0, description="width of a box's height and of its width")
    has_relative_attention_bias: bool = Field(True, description="scores depend on distances in the text")
    rel_pos_bins: int = Field(32, ge=4)
    max_rel_pos: int = Field(128, gt=0)
    has_spatial_attention_bias: bool = Field(True, description="and on the page, where they do on those in the text")
    rel_2d_pos_bins: int = Field(64, ge=4)
    max_rel_2d_pos: int = Field(256, gt=0)
    text_embed: bool = Field(True, description="the model reads text")
    visual_embed: bool = Field(True, description="the model looks at the page")
    input_size: int = Field(224, gt=0, description="side of the page's picture")
    num_channels: int = Field(3, gt=0)
    patch_size: int = Field(16, gt=0)

    @property
    def grid(self) -> int:
        """Patches in a row, and in a column."""
        return self.input_size // self.patch_size

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        check_heads(self.hidden_size, self.num_attention_heads)
        described = 4 * self.coordinate_size + 2 * self.shape_size
        if self.text_embed and described != self.hidden_size:
            raise ValueError(
                f"4 x coordinate_size {self.coordinate_size} and 2 x shape_size {self.shape_size} are {described} "
                f"values for a box, and hidden_size is {self.hidden_size}"
            )
        if self.pad_token_id >= min(self.vocab_size, self.max_position_embeddings):
            raise ValueError(
                f"pad_token_id {self.pad_token_id} is outside a vocabulary of {self.vocab_size} tokens or a table of "
                f"{self.max_position_embeddings} positions"
            )
        for bins, most in (("rel_pos_bins", "max_rel_pos"), ("rel_2d_pos_bins", "max_rel_2d_pos")):
            if getattr(self, most) <= getattr(self, bins) // 4:
                raise ValueError(
                    f"{most} {getattr(self, most)} leaves no distances for the far half of {getattr(self, bins)} {bins}"
                )
        if self.visual_embed and not self.grid:
            raise ValueError(f"input_size {self.input_size} is smaller than patch_size {self.patch_size}")
        if not (self.text_embed or self.visual_embed):
            raise ValueError("text_embed and visual_embed are both false: the model would read nothing")
        return self
