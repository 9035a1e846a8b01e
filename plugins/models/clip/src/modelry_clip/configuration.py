"""What a CLIP config.json means: the whole model's, and those of its two sides. Plain data: it reads and checks."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName
from modelry.nn.image_sizes import ImageSize
from modelry.nn.tower_config import TextTowerConfig, VisionTowerConfig


class CLIPTextConfig(TextTowerConfig):
    """The side of texts. Defaults are those of ViT-B/32."""

    without_effect: ClassVar = ("dropout",)
    model_type: Literal["clip_text_model"] = "clip_text_model"
    hidden_size: int = Field(512, gt=0)
    intermediate_size: int = Field(2048, gt=0)
    num_attention_heads: int = Field(8, gt=0)
    hidden_act: ActivationName = "quick_gelu"
    projection_dim: int = Field(512, gt=0, description="P, width of the space shared with images, of this side alone")
    eos_token_id: int | list[int] | None = Field(
        49407, description="the token that describes a text; with 2, which old files say by mistake, the greatest id"
    )
    initializer_factor: float = Field(1.0, ge=0, description="times initializer_range: weights of a new model")


class CLIPVisionConfig(VisionTowerConfig):
    """The side of images. Defaults are those of ViT-B/32."""

    without_effect: ClassVar = ("dropout", "vocab_size")
    model_type: Literal["clip_vision_model"] = "clip_vision_model"
    patch_size: ImageSize = 32
    hidden_act: ActivationName = "quick_gelu"
    projection_dim: int = Field(512, gt=0, description="P, width of the space shared with texts, of this side alone")
    initializer_factor: float = Field(1.0, ge=0, description="times initializer_range: weights of a new model")


class CLIPConfig(ModelConfig):
    """Both sides. Field names are the published ones.

    The oldest files have a side twice, and mean `text_config_dict` and `vision_config_dict`, defaults included.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["clip"] = "clip"
    text_config: CLIPTextConfig = Field(default_factory=CLIPTextConfig)
    vision_config: CLIPVisionConfig = Field(default_factory=CLIPVisionConfig)
    projection_dim: int = Field(512, gt=0, description="P, width of the space of both")
    logit_scale_init_value: float = Field(2.6592, description="logarithm of the factor of a new model's scores")
    initializer_factor: float = Field(1.0, ge=0, description="times initializer_range: weights of a new model")

    @model_validator(mode="before")
    @classmethod
    def _older_files(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        values = dict(values)
        sides: tuple[tuple[str, type[ModelConfig]], ...] = (
            ("text_config", CLIPTextConfig),
            ("vision_config", CLIPVisionConfig),
        )
        for side, config_class in sides:
            meant, said = values.pop(f"{side}_dict", None), values.get(side)
            if meant is not None:
                said = said.to_dict() if isinstance(said, ModelConfig) else said
                values[side] = {**(said or {}), **config_class(**meant).to_dict()}
            elif said is None:
                values.pop(side, None)
        return values
