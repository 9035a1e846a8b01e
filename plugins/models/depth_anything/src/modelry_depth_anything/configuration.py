"""What a Depth Anything config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from modelry.backbone_config import BackboneConfig
from modelry.configuration import ModelConfig, Nested, config_class

Count = Annotated[int, Field(gt=0)]
OLDEST: dict[str, Any] = {
    "image_size": 518,
    "hidden_size": 384,
    "num_attention_heads": 6,
    "out_indices": [9, 10, 11, 12],
    "reshape_hidden_states": False,
}
"""The backbone of a file that does not describe one: DINOv2-S."""


class DepthAnythingConfig(ModelConfig):
    """Field names are the published ones, defaults those of Depth Anything S.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
        RegistryError: no installed package provides the backbone's family.
    """

    without_effect: ClassVar = ("backbone_kwargs", "use_pretrained_backbone")
    model_type: Literal["depth_anything"] = "depth_anything"
    backbone_config: Annotated[SerializeAsAny[ModelConfig], Nested("dinov2")]
    backbone: None = Field(None, description="backbones of other libraries, by name, are refused")
    use_timm_backbone: Literal[False] | None = False
    patch_size: int = Field(14, gt=0, description="the depth map has so many pixels for each patch")
    reassemble_hidden_size: int = Field(384, gt=0, description="width of the backbone's feature maps")
    reassemble_factors: list[int | float] = Field([4, 2, 1, 0.5], description="by how much each map is enlarged")
    neck_hidden_sizes: list[Count] = Field([48, 96, 192, 384], description="channels of each map afterwards")
    fusion_hidden_size: int = Field(64, gt=0)
    head_in_index: int = Field(-1, description="which fused map becomes the depth")
    head_hidden_size: int = Field(32, gt=0)
    depth_estimation_type: Literal["relative", "metric"] = "relative"
    max_depth: float | int | None = Field(1, description="metric: the largest depth, in metres")

    @model_validator(mode="before")
    @classmethod
    def _oldest_backbone(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("backbone_config") is None:
            return {**values, "backbone_config": config_class("dinov2")(**OLDEST)}
        return values

    @model_validator(mode="after")
    def _maps_fit(self) -> Self:
        inner = self.backbone_config
        if not isinstance(inner, BackboneConfig):
            raise ValueError(f"backbone_config is of {inner.model_type}, a family that gives no feature maps")
        maps = len(inner.channels)
        if not maps == len(self.reassemble_factors) == len(self.neck_hidden_sizes):
            raise ValueError(
                f"reassemble_factors {self.reassemble_factors} and neck_hidden_sizes {self.neck_hidden_sizes} need a "
                f"value for each of the backbone's {maps} feature maps"
            )
        if set(inner.channels) != {self.reassemble_hidden_size}:
            raise ValueError(
                f"reassemble_hidden_size is {self.reassemble_hidden_size}, and the backbone's feature maps have "
                f"{inner.channels} channels"
            )
        if any(factor <= 0 for factor in self.reassemble_factors):
            raise ValueError(f"reassemble_factors {self.reassemble_factors} must be above 0")
        if not -maps <= self.head_in_index < maps:
            raise ValueError(f"head_in_index is {self.head_in_index}; there are {maps} maps")
        return self
