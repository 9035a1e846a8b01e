"""What a ResNet config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from modelry.backbone_config import BackboneConfig

Count = Annotated[int, Field(gt=0)]
REDUCTION = 4
"""A bottleneck has a quarter of the channels."""


class ResNetConfig(BackboneConfig):
    """Field names are the published ones, defaults those of ResNet-50.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["resnet"] = "resnet"
    num_channels: int = Field(3, gt=0)
    embedding_size: int = Field(64, gt=0, description="channels of the stem")
    hidden_sizes: list[Count] = Field([256, 512, 1024, 2048], min_length=1, description="channels of each stage")
    depths: list[Count] = Field([3, 4, 6, 3], description="layers of each stage")
    layer_type: Literal["basic", "bottleneck"] = "bottleneck"
    hidden_act: str = "relu"
    downsample_in_first_stage: bool = False
    downsample_in_bottleneck: bool = Field(False, description="halve the map in the first convolution, not the second")

    @property
    def num_hidden_layers(self) -> int:
        """Stages, under the standard name."""
        return len(self.depths)

    @property
    def hidden_size(self) -> int:
        """Channels of the last stage."""
        return self.hidden_sizes[-1]

    @property
    def stage_channels(self) -> list[int]:
        """The stem's, then each stage's."""
        return [self.embedding_size, *self.hidden_sizes]

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        if len(self.hidden_sizes) != len(self.depths):
            raise ValueError(f"hidden_sizes {self.hidden_sizes} and depths {self.depths} are not of the same length")
        if self.layer_type == "bottleneck" and min(self.hidden_sizes) < REDUCTION:
            raise ValueError(f"hidden_sizes {self.hidden_sizes}: a bottleneck needs at least {REDUCTION} channels")
        return self
