"""Videos to pixel values. The interface: a family's processor says what happens to a video."""

from abc import abstractmethod
from typing import Any, ClassVar

from modelry.preprocessing.configured_preprocessor import ConfiguredPreprocessor
from modelry.preprocessing.features import BatchFeature


class VideoProcessor(ConfiguredPreprocessor):
    """Loaded from and saved as video_preprocessor_config.json."""

    role: ClassVar[str] = "video-processor"
    file_name: ClassVar[str] = "video_preprocessor_config.json"
    type_key: ClassVar[str] = "video_processor_type"

    @abstractmethod
    def __call__(self, videos: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        """Turn what the user has into model inputs.

        Args:
            videos: a video or a list of videos: frames as for an image, in order.
            return_tensors: "pt", "np", or None for lists of arrays.
            parameters: replace this preprocessor's own for this call.

        Returns:
            pixel_values_videos and what else the model takes.
        """
