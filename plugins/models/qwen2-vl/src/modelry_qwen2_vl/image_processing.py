"""Images for Qwen2-VL: resized within bounds of pixels, and cut into patches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.image_processor import ImageProcessor
from modelry.preprocessing.images.parameters import ImageParameters
from modelry_qwen2_vl.parameters import Qwen2VLImageParameters
from modelry_qwen2_vl.patches import cut, gathered

if TYPE_CHECKING:
    import numpy as np


class Qwen2VLImageProcessor(ImageProcessor):
    """Gives pixel_values (patches of all images, values of a patch) and image_grid_thw (images, 3)."""

    parameters_class: ClassVar[type[PreprocessorParameters]] = Qwen2VLImageParameters

    def assemble(
        self, pictures: "Sequence[np.ndarray]", parameters: ImageParameters, return_tensors: str | None
    ) -> BatchFeature:
        """Patches of arranged images (H, W, C)."""
        from modelry.preprocessing.images.values import batched

        p = cast(Qwen2VLImageParameters, parameters)
        found = [
            cut(cast("np.ndarray", batched([one], p, together=True)[0]), p, f"images[{number}]")
            for number, one in enumerate(pictures)
        ]
        return gathered(found, {"values": "pixel_values", "grid": "image_grid_thw"}, return_tensors)
