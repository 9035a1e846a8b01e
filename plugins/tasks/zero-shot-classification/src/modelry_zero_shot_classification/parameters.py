"""What a zero-shot-classification call may say."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from modelry.pipelines import TextParameters


class ZeroShotClassificationParameters(TextParameters):
    """The labels, and how they are asked about."""

    candidate_labels: list[str] | None = Field(None, description="or one text in which commas separate them")
    hypothesis_template: str = Field("This example is {}.", description="a sentence; a label stands for {}")
    multi_label: bool = Field(False, description="several may fit: each is scored by itself")
    truncation: bool = Field(True, description="cut a text that is too long, and never a label")

    @field_validator("candidate_labels", mode="before")
    @classmethod
    def _separated(cls, value: Any) -> Any:
        return [label.strip() for label in value.split(",") if label.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.candidate_labels is not None and not self.candidate_labels:
            raise ValueError("candidate_labels is empty: name at least one label")
        if "{}" not in self.hypothesis_template:
            raise ValueError(
                f"hypothesis_template {self.hypothesis_template!r} has no {{}}, so every label would be the same"
            )
        return self
