"""What a fill-mask call may say."""

from typing import Any, Self

from pydantic import Field, model_validator

from modelry.pipelines import TextParameters


class FillMaskParameters(TextParameters):
    """Which words are proposed."""

    top_k: int = Field(5, gt=0, description="so many of the most likely")
    targets: str | list[str] | None = Field(None, description="choose among these words alone")
    tokenizer_kwargs: dict[str, Any] = Field(default_factory=dict, description="further arguments of the tokenizer")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.targets is not None and not self.targets:
            raise ValueError("targets is empty: name at least one word")
        twice = sorted(self.tokenizer_kwargs.keys() & self.model_fields_set)
        if twice:
            raise ValueError(f"{', '.join(twice)} is said twice: as a keyword and in tokenizer_kwargs")
        return self
