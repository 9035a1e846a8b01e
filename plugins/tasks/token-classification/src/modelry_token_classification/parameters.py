"""What a token-classification call may say."""

from typing import Literal, Self

from pydantic import Field, model_validator

from modelry.pipelines import TaskParameters

StrategyName = Literal["none", "simple", "first", "average", "max"]


class TokenClassificationParameters(TaskParameters):
    """How the text is read, and how tokens become entities."""

    aggregation_strategy: StrategyName = "none"
    ignore_labels: list[str] = Field(default=["O"], description="labels that are left out")
    stride: int | None = Field(
        None, ge=0, description="tokens that the windows of a long text share; unset: one window"
    )
    is_split_into_words: bool = Field(False, description="an item is a list of words")
    delimiter: str = Field(" ", description="between words, for offsets")

    @model_validator(mode="after")
    def _windows_are_joined(self) -> Self:
        if self.stride is not None and self.aggregation_strategy == "none":
            raise ValueError("stride needs an aggregation_strategy: tokens of overlapping windows are not joined")
        return self
