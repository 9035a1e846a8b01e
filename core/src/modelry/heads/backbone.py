"""The head that gives feature maps by stage, so that one family can stand inside another (`AutoBackbone`)."""

from typing import ClassVar

from modelry.backbone_config import BackboneConfig
from modelry.configuration import ModelConfig
from modelry.model import PreTrainedModel


class Backbone(PreTrainedModel):
    """What every backbone can be asked. Its forward takes pixel_values and returns a `BackboneOutput`."""

    config_class: ClassVar[type[ModelConfig]] = BackboneConfig
    main_input_name: ClassVar[str] = "pixel_values"

    @property
    def stage_names(self) -> list[str]:
        """All stages, the stem first."""
        return list(self.config.stage_names)

    @property
    def out_features(self) -> list[str]:
        """The stages whose feature maps are returned."""
        return list(self.config.out_features)

    @property
    def out_indices(self) -> list[int]:
        """The same as numbers."""
        return list(self.config.out_indices)

    @property
    def out_feature_channels(self) -> dict[str, int]:
        """Channels of every stage."""
        return dict(zip(self.config.stage_names, self.config.stage_channels, strict=True))

    @property
    def channels(self) -> list[int]:
        """Channels of the feature maps that are returned."""
        return list(self.config.channels)
