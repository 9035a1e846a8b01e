"""What an image-segmentation call may say."""

from typing import Literal

from pydantic import Field

from modelry.pipelines.images import PictureParameters

Subtask = Literal["panoptic", "instance", "semantic"]


class ImageSegmentationParameters(PictureParameters):
    """Which segments come back. The thresholds are for models that predict masks, and for segments, not for classes."""

    subtask: Subtask | None = Field(
        None, description="every pixel in one segment, things apart, or classes of pixels; unset: the first it can do"
    )
    threshold: float = Field(0.9, ge=0, le=1, description="segments whose class is less sure are left out")
    mask_threshold: float = Field(0.5, ge=0, le=1, description="from which probability on a pixel is of a mask")
    overlap_mask_area_threshold: float = Field(
        0.5, ge=0, le=1, description="segments that keep less of their mask, after others took theirs, are left out"
    )
