"""What an image-feature-extraction call may say."""

from typing import Any, Literal

from pydantic import Field

from modelry.pipelines.images import PictureParameters


class ImageFeatureExtractionParameters(PictureParameters):
    """Which features come back, and as what."""

    pool: bool = Field(False, description="one vector for the image, from the model's pooler")
    return_tensors: bool | Literal["pt"] = Field(False, description="tensors instead of nested lists")
    image_processor_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="further arguments of the image processor: do_resize, size …"
    )
