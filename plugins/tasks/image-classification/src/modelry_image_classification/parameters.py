"""What an image-classification call may say."""

from pydantic import Field

from modelry.pipelines.images import PictureParameters
from modelry.pipelines.labels import Function


class ImageClassificationParameters(PictureParameters):
    """Which labels come back, and what their scores are."""

    top_k: int | None = Field(5, gt=0, description="so many of the best labels; None: all")
    function_to_apply: Function | None = Field(None, description="unset: what fits the model's kind of problem")
