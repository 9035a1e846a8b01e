"""Images to pixel values. The interface: a family's processor says what happens to an image."""

from abc import abstractmethod
from typing import Any, ClassVar

from modelry.preprocessing.configured_preprocessor import ConfiguredPreprocessor
from modelry.preprocessing.features import BatchFeature


class ImageProcessor(ConfiguredPreprocessor):
    """Loaded from and saved as preprocessor_config.json."""

    role: ClassVar[str] = "image-processor"
    file_name: ClassVar[str] = "preprocessor_config.json"
    type_key: ClassVar[str] = "image_processor_type"

    @abstractmethod
    def __call__(self, images: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        """Turn what the user has into model inputs.

        Args:
            images: one or a list of: PIL image, numpy (height, width, channels), torch (channels, height, width).
            return_tensors: "pt", "np", or None for lists of arrays.
            parameters: replace this preprocessor's own for this call.

        Returns:
            pixel_values and what else the model takes.
        """
