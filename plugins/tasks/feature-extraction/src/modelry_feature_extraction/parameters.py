"""What a feature-extraction call may say."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from modelry.pipelines import TextParameters


class FeatureExtractionParameters(TextParameters):
    """How the text is read, and what comes back."""

    return_tensors: bool | Literal["pt"] = Field(False, description="a tensor instead of nested lists")
    tokenize_kwargs: dict[str, Any] = Field(default_factory=dict, description="further arguments of the tokenizer")

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        twice = sorted(self.tokenize_kwargs.keys() & self.model_fields_set)
        if twice:
            raise ValueError(f"{', '.join(twice)} is said twice: as a keyword and in tokenize_kwargs")
        return self
