"""What a video-classification call may say."""

from pydantic import Field

from modelry.pipelines.images import PictureParameters
from modelry.pipelines.labels import Function


class VideoClassificationParameters(PictureParameters):
    """Which frames are looked at, which labels come back, and what their scores are."""

    num_frames: int | None = Field(None, gt=0, description="so many frames; unset: as many as the model was made for")
    frame_sampling_rate: int | None = Field(
        None, gt=0, description="every so many-th frame from the beginning; unset: spread over the whole video"
    )
    top_k: int | None = Field(5, gt=0, description="so many of the best labels; None: all")
    function_to_apply: Function | None = Field(None, description="unset: what fits the model's kind of problem")
