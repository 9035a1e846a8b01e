"""Videos for Qwen2-VL: frames taken by number or rate, resized within bounds of pixels, and cut into patches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.video_processor import VideoProcessor
from modelry.preprocessing.videos.parameters import VideoParameters
from modelry_qwen2_vl.parameters import Qwen2VLVideoParameters
from modelry_qwen2_vl.patches import cut, gathered

if TYPE_CHECKING:
    import numpy as np

    from modelry.preprocessing.videos.sampling import VideoMetadata


class Qwen2VLVideoProcessor(VideoProcessor):
    """Gives pixel_values_videos (patches of all videos, values of a patch) and video_grid_thw (videos, 3)."""

    parameters_class: ClassVar[type[PreprocessorParameters]] = Qwen2VLVideoParameters

    def assemble(
        self,
        videos: "Sequence[Sequence[np.ndarray]]",
        metadata: "Sequence[VideoMetadata]",
        parameters: VideoParameters,
        return_tensors: str | None,
    ) -> BatchFeature:
        """Patches of arranged frames (H, W, C)."""
        from modelry.preprocessing.images.values import batched

        p = cast(Qwen2VLVideoParameters, parameters)
        found = [
            cut(cast("np.ndarray", batched(frames, p, together=True)[0]), p, f"videos[{number}]")
            for number, frames in enumerate(videos)
        ]
        return gathered(found, {"values": p.output_name, "grid": "video_grid_thw"}, return_tensors)
