"""What a SigLIP config.json means: the whole model's, and those of its two sides. Plain data: it reads and checks."""

from typing import Any, Literal

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName
from modelry.nn.tower_config import TextTowerConfig, VisionTowerConfig


class SiglipTextConfig(TextTowerConfig):
    """The side of texts. Defaults are those of the base model."""

    model_type: Literal["siglip_text_model"] = "siglip_text_model"
    vocab_size: int = Field(32000, gt=0)
    max_position_embeddings: int = Field(64, gt=0)
    hidden_act: ActivationName = "gelu_pytorch_tanh"
    layer_norm_eps: float = Field(1e-6, gt=0)
    projection_size: int = Field(768, gt=0, description="width of a text's vector; hidden_size where it is not said")

    @model_validator(mode="before")
    @classmethod
    def _as_wide_as_the_stream(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("projection_size") is None:
            width = values.get("hidden_size", cls.model_fields["hidden_size"].default)
            return {**values, "projection_size": width}
        return values


class SiglipVisionConfig(VisionTowerConfig):
    """The side of images. Defaults are those of the base model."""

    model_type: Literal["siglip_vision_model"] = "siglip_vision_model"
    hidden_act: ActivationName = "gelu_pytorch_tanh"
    layer_norm_eps: float = Field(1e-6, gt=0)
    vision_use_head: bool = Field(True, description="whether there is a head that pools the patches")


class SiglipConfig(ModelConfig):
    """Both sides. Field names are the published ones.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["siglip"] = "siglip"
    text_config: SiglipTextConfig = Field(default_factory=SiglipTextConfig)
    vision_config: SiglipVisionConfig = Field(default_factory=SiglipVisionConfig)
    initializer_factor: float = Field(1.0, ge=0, description="times initializer_range: weights of a new classifier")

    @model_validator(mode="before")
    @classmethod
    def _null_sides(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: one for key, one in values.items() if one is not None or not key.endswith("_config")}
