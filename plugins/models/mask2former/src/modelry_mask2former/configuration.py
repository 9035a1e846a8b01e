"""What a Mask2Former config.json means. Plain data: it reads and checks, and builds nothing."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from modelry.backbone_config import BackboneConfig
from modelry.configuration import ModelConfig, Nested, config_class
from modelry.nn.activation_names import ActivationName
from modelry.nn.image_sizes import check_heads

Count = Annotated[int, Field(gt=0)]
LEVELS = 3
"""Feature maps that the queries look at, the coarsest of the backbone's."""
GROUPS = 32
"""Channels are normalised in so many groups."""
SMALL: dict[str, Any] = {
    "depths": [2, 2, 18, 2],
    "drop_path_rate": 0.3,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
"""The backbone of a file that does not describe one: Swin-S."""


class Mask2FormerConfig(ModelConfig):
    """Field names are the published ones, defaults those of Mask2Former with a Swin-S.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
        RegistryError: no installed package provides the backbone's family.
    """

    without_effect: ClassVar = ("backbone_kwargs", "enforce_input_proj", "use_pretrained_backbone")
    model_type: Literal["mask2former"] = "mask2former"
    backbone_config: Annotated[SerializeAsAny[ModelConfig], Nested("swin")]
    backbone: None = Field(None, description="backbones of other libraries, by name, are refused")
    use_timm_backbone: Literal[False] | None = False
    feature_size: int = Field(256, gt=0, description="F, channels in the pixel decoder")
    mask_feature_size: int = Field(256, gt=0, description="C, channels that masks are products of")
    hidden_dim: int = Field(256, gt=0, description="D, width of the queries")
    encoder_feedforward_dim: int = Field(1024, gt=0, description="width inside the pixel decoder's MLPs")
    dim_feedforward: int = Field(2048, gt=0, description="width inside the queries' MLPs")
    activation_function: ActivationName = Field("relu", description="of the queries' MLPs")
    encoder_layers: int = Field(6, ge=0, description="of the pixel decoder")
    decoder_layers: int = Field(10, gt=0, description="predictions of the queries: one before, one after each layer")
    num_attention_heads: int = Field(8, gt=0, description="H, of both decoders")
    dropout: float = Field(0.0, ge=0, lt=1, description="of values, attention weights and, in training, whole layers")
    pre_norm: bool = Field(False, description="normalise what enters a block of the queries, not the sum behind it")
    enforce_input_projection: bool = Field(False, description="project the maps for the queries even if F is D")
    common_stride: int = Field(4, gt=0, description="pixels of the image to one of the masks")
    feature_strides: list[Count] = Field([4, 8, 16, 32], description="pixels to a place of each of the backbone's maps")
    ignore_value: int = Field(255, description="a class of no pixel's; no published loss reads it")
    num_queries: int = Field(100, gt=0, description="Q, segments that can be found")
    no_object_weight: float = Field(0.1, ge=0, description="of queries that answer for nothing, in the loss")
    class_weight: float = Field(2.0, ge=0)
    mask_weight: float = Field(5.0, ge=0)
    dice_weight: float = Field(5.0, ge=0)
    train_num_points: int = Field(12544, gt=0, description="P, places of a mask that a loss looks at")
    oversample_ratio: float = Field(3.0, ge=1, description="so many times P places are drawn to choose from")
    importance_sample_ratio: float = Field(0.75, ge=0, le=1, description="part of P where the model is least sure")
    init_std: float = Field(0.02, ge=0, description="published; new models have no part that starts from it")
    init_xavier_std: float = Field(1.0, ge=0, description="gain of the queries' layers in a new model")
    use_auxiliary_loss: bool = Field(True, description="the loss counts the predictions before the last too")
    output_auxiliary_logits: bool | None = None

    @property
    def hidden_size(self) -> int:
        """D, under the standard name."""
        return self.hidden_dim

    @property
    def num_hidden_layers(self) -> int:
        """Predictions of the queries, under the standard name."""
        return self.decoder_layers

    @property
    def extra_maps(self) -> int:
        """The backbone's finest maps that are added on the way to the masks' size."""
        return int(math.log2(min(self.feature_strides[-LEVELS:])) - math.log2(self.common_stride))

    @model_validator(mode="before")
    @classmethod
    def _smallest_backbone(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("backbone_config") is None:
            return {**values, "backbone_config": config_class("swin")(**SMALL)}
        return values

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        inner = self.backbone_config
        if not isinstance(inner, BackboneConfig):
            raise ValueError(f"backbone_config is of {inner.model_type}, a family that gives no feature maps")
        if len(inner.channels) < LEVELS:
            raise ValueError(
                f"backbone_config gives the {len(inner.channels)} feature maps {inner.out_features}; at least {LEVELS} "
                "are needed: name more in its out_features"
            )
        if len(self.feature_strides) < LEVELS or min(self.feature_strides[-LEVELS:]) < self.common_stride:
            raise ValueError(
                f"feature_strides {self.feature_strides} need {LEVELS} values or more, the last {LEVELS} of them not "
                f"below common_stride {self.common_stride}"
            )
        if self.feature_size % GROUPS:
            raise ValueError(f"feature_size {self.feature_size} is not a multiple of {GROUPS}, the groups of its norms")
        if self.hidden_dim % 4:
            raise ValueError(f"hidden_dim {self.hidden_dim} is not a multiple of 4: sines and cosines of two axes")
        check_heads(self.feature_size, self.num_attention_heads, names=("feature_size", "num_attention_heads"))
        check_heads(self.hidden_dim, self.num_attention_heads, names=("hidden_dim", "num_attention_heads"))
        if not (self.class_weight or self.mask_weight or self.dice_weight):
            raise ValueError("class_weight, mask_weight and dice_weight are all 0: nothing would be learned")
        return self
