"""What a LLaVA config.json means: an image encoder, a language model, and what lies between. Plain data."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from modelry.configuration import ModelConfig, Nested
from modelry.nn.activation_names import ActivationName

VISION = {
    "model_type": "clip_vision_model",
    "intermediate_size": 4096,
    "hidden_size": 1024,
    "patch_size": 14,
    "image_size": 336,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "projection_dim": 768,
}
"""The image encoder of a file that names none."""


class LlavaConfig(ModelConfig):
    """Field names are the published ones. Encoder and language model may be of any installed family.

    Raises:
        ConfigError: a value is impossible.
        RegistryError: no installed package has one of the two families.
    """

    without_effect: ClassVar = ("ignore_index", "vocab_size")
    model_type: Literal["llava"] = "llava"
    vision_config: Annotated[SerializeAsAny[ModelConfig], Nested("clip_vision_model")]
    text_config: Annotated[SerializeAsAny[ModelConfig], Nested("llama")]
    image_token_index: int = Field(32000, ge=0, description="the token that each part of an image stands at")
    image_seq_length: int = Field(576, gt=0, description="tokens of an image, for who prepares texts; unread here")
    projector_hidden_act: ActivationName = "gelu"
    vision_feature_select_strategy: Literal["default", "full"] = Field(
        "default", description="default: without the encoder's first token, which is no part of the image"
    )
    vision_feature_layer: int | list[int] = Field(-2, description="whose output is seen; of several, side by side")
    multimodal_projector_bias: bool = True

    @model_validator(mode="before")
    @classmethod
    def _published_parts(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        values["vision_config"] = values.get("vision_config") or dict(VISION)
        values["text_config"] = values.get("text_config") or {"model_type": "llama"}
        return values

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        layers = getattr(self.vision_config, "num_hidden_layers", None)
        for layer in self.feature_layers:
            if layers is not None and not -layers - 1 <= layer <= layers:
                raise ValueError(f"vision_feature_layer {layer}: the image encoder has {layers} layers")
        if not self.feature_layers:
            raise ValueError("vision_feature_layer names no layer")
        tied = self.tie_word_embeddings or self.text_config.tie_word_embeddings
        self.__dict__["tie_word_embeddings"] = tied
        if tied and not self.text_config.tie_word_embeddings:
            self.text_config.tie_word_embeddings = True
        return self

    @property
    def feature_layers(self) -> list[int]:
        """vision_feature_layer as a list."""
        layer = self.vision_feature_layer
        return [layer] if isinstance(layer, int) else layer

    @property
    def image_token_id(self) -> int:
        """Another name of image_token_index."""
        return self.image_token_index
