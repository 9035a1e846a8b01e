"""What an audio-classification call may say."""

from pydantic import Field

from modelry.pipelines.labels import Function
from modelry.pipelines.urls import UrlParameters


class AudioClassificationParameters(UrlParameters):
    """Which labels come back, and what their scores are."""

    top_k: int | None = Field(None, gt=0, description="so many of the best labels; unset: all")
    function_to_apply: Function | None = Field(None, description="unset: what fits the model's kind of problem")
