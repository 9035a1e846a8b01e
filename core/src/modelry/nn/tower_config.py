"""What the two sides of models that compare images with texts have in their configurations. Plain data, no torch."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName
from modelry.nn.image_sizes import ImageSize, check_heads, grid_of


class TowerConfig(ModelConfig):
    """Layers, on either side. Fields are the published ones; a family gives them its own defaults.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "encoder.layers.*.self_attn.q_proj": "colwise",
        "encoder.layers.*.self_attn.k_proj": "colwise",
        "encoder.layers.*.self_attn.v_proj": "colwise",
        "encoder.layers.*.self_attn.out_proj": "rowwise",
        "encoder.layers.*.mlp.fc1": "colwise",
        "encoder.layers.*.mlp.fc2": "rowwise",
    }

    hidden_size: int = Field(768, gt=0, description="D, width of the residual stream")
    intermediate_size: int = Field(3072, gt=0, description="F, width inside the MLP")
    num_hidden_layers: int = Field(12, gt=0)
    num_attention_heads: int = Field(12, gt=0, description="H")
    hidden_act: ActivationName = "gelu"
    layer_norm_eps: float = Field(1e-5, gt=0)
    attention_dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        check_heads(self.hidden_size, self.num_attention_heads)
        return self


class TextTowerConfig(TowerConfig):
    """The side of texts."""

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "embeddings.token_embedding": "embedding_rowwise",
        **TowerConfig.base_model_tp_plan,
    }

    vocab_size: int = Field(49408, gt=0, description="V, tokens")
    max_position_embeddings: int = Field(77, gt=0)
    # Published defaults; they lie outside of small vocabularies, where no token has this meaning.
    pad_token_id: int | None = 1
    bos_token_id: int | list[int] | None = 49406
    eos_token_id: int | list[int] | None = 49407


class VisionTowerConfig(TowerConfig):
    """The side of images."""

    num_channels: int = Field(3, gt=0)
    image_size: ImageSize = 224
    patch_size: ImageSize = 16

    @model_validator(mode="after")
    def _patches_fit(self) -> Self:
        grid_of(self.image_size, self.patch_size)
        return self
