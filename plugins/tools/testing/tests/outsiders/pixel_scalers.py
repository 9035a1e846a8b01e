"""An image processor, and others with one mistake each."""

from typing import Any

import numpy as np

from modelry.preprocessing import ImageProcessor
from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.features import BatchFeature


class ScaleParameters(PreprocessorParameters):
    """Keys of preprocessor_config.json."""

    rescale_factor: float = 1 / 255


class PixelScaler(ImageProcessor):
    """Pixels times a factor."""

    parameters_class = ScaleParameters

    def __call__(self, images: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        rows = images if isinstance(images, list) else [images]
        scaled = [np.asarray(row, dtype=np.float32) * self.parameters.rescale_factor for row in rows]
        return BatchFeature({"pixel_values": scaled}, tensor_type=return_tensors)


class ByTheBatch(PixelScaler):
    """Scales by how many images there are."""

    def __call__(self, images: Any, **named: Any) -> BatchFeature:
        found = super().__call__(images, **named)
        count = len(images) if isinstance(images, list) else 1
        return BatchFeature({"pixel_values": [row / count for row in found["pixel_values"]]})


class Unfaithful(PixelScaler):
    """Saves a factor of its own."""

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "rescale_factor": 1.0}


class Infinite(PixelScaler):
    """Divides by nothing."""

    def __call__(self, images: Any, **named: Any) -> BatchFeature:
        found = super().__call__(images, **named)
        return BatchFeature({"pixel_values": [row + np.inf for row in found["pixel_values"]]})
