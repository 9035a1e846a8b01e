"""What a text-classification call may say."""

from typing import Literal

from pydantic import Field

from modelry.pipelines import TextParameters


class TextClassificationParameters(TextParameters):
    """Which labels come back, and what their scores are."""

    top_k: int | None = Field(1, gt=0, description="so many of the best labels; None: all")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="unset: what fits the model's kind of problem"
    )
