"""What an image-feature-extraction call may say."""

from pydantic import Field

from modelry.pipelines.images import PictureParameters


class ImageFeatureExtractionParameters(PictureParameters):
    """Which features come back, and as what."""

    pool: bool = Field(False, description="one vector for the image, from the model's pooler")
    return_tensors: bool = Field(False, description="tensors instead of nested lists")
