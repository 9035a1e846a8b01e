"""Models whose stages give ever coarser maps of an image, without attention: the base model, and the backbone.

B images   C channels of the images   H, W height and width in pixels   D channels of a stage   G, K rows and columns of
its map
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from modelry.heads.backbone import Backbone
from modelry.image_outputs import BackboneOutput
from modelry.model import PreTrainedModel
from modelry.outputs import BaseModelOutputWithPooling


class StagedModel(PreTrainedModel):
    """The last stage's map, and one vector for the image. A family says how images become maps, and the vector."""

    main_input_name: ClassVar[str] = "pixel_values"

    def maps(self, pixel_values: Tensor | None) -> Sequence[Tensor]:
        """(B, D, G, K): the stem's, then each stage's.

        Raises:
            ValueError: images with other channels.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what its stages are")

    def pooled(self, last: Tensor) -> Tensor:
        """What describes the image, from the last map."""
        raise NotImplementedError(f"{type(self).__name__} does not say what describes an image")

    def forward(
        self,
        pixel_values: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Run the images.

        Args:
            pixel_values: (B, C, H, W), of any size.
            output_hidden_states: also return the stem's map and each stage's.
            output_attentions: taken as other families take it; there is no attention here.

        Raises:
            ValueError: images with other channels.
        """
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        maps = self.maps(pixel_values)
        return BaseModelOutputWithPooling(
            last_hidden_state=maps[-1],
            pooler_output=self.pooled(maps[-1]),
            hidden_states=tuple(maps) if keep else None,
        )


class StagedBackbone(Backbone):
    """The maps of the stages that config.out_features names, as `StagedModel` has them."""

    def maps(self, pixel_values: Tensor | None) -> Sequence[Tensor]:
        """As of the base model."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its stages are")

    def finished(self, stage: str, plane: Tensor) -> Tensor:
        """A map as it is returned: as it is, unless a family normalises it."""
        return plane

    def forward(
        self,
        pixel_values: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BackboneOutput:
        """Run the images; (B, D, G, K) for each stage. Arguments as of the base model."""
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        maps = self.maps(pixel_values)
        named = dict(zip(self.stage_names, maps, strict=True))
        return BackboneOutput(
            feature_maps=tuple(self.finished(name, named[name]) for name in self.out_features),
            hidden_states=tuple(maps) if keep else None,
        )
