"""What a ConvNeXT config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from modelry.backbone_config import BackboneConfig
from modelry.nn.image_sizes import ImageSize

Count = Annotated[int, Field(gt=0)]


class ConvNextConfig(BackboneConfig):
    """Field names are the published ones, defaults those of ConvNeXT-T.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["convnext"] = "convnext"
    num_channels: int = Field(3, gt=0)
    patch_size: ImageSize = Field(4, description="of the stem, in pixels")
    num_stages: int = Field(4, gt=0)
    hidden_sizes: list[Count] = Field([96, 192, 384, 768], description="D of each stage")
    depths: list[Count] = Field([3, 3, 9, 3], description="layers of each stage")
    hidden_act: str = "gelu"
    layer_norm_eps: float = Field(1e-12, gt=0, description="of the last norm; all others have 1e-6")
    layer_scale_init_value: float = Field(1e-6, ge=0, description="no scales where it is 0")
    drop_path_rate: float = Field(0.0, ge=0, lt=1)
    image_size: ImageSize = 224

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: one for key, one in values.items() if not (one is None and key in ("hidden_sizes", "depths"))}

    @property
    def num_hidden_layers(self) -> int:
        """Stages, under the standard name."""
        return self.num_stages

    @property
    def hidden_size(self) -> int:
        """D of the last stage."""
        return self.hidden_sizes[-1]

    @property
    def stage_channels(self) -> list[int]:
        """As wide as the stage; the stem as the first."""
        return [self.hidden_sizes[0], *self.hidden_sizes]

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        if not self.num_stages == len(self.hidden_sizes) == len(self.depths):
            raise ValueError(
                f"num_stages {self.num_stages}, hidden_sizes {self.hidden_sizes} and depths {self.depths} "
                "are not of the same length"
            )
        return self
