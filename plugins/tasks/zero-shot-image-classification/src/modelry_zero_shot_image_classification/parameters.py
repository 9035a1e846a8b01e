"""What a zero-shot-image-classification call may say, and the texts that it comes to."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator
from torch import Tensor

from modelry.pipelines.images import PictureParameters

PLACE = "{}"


def _separated(value: Any) -> Any:
    """Labels that were written as one text, with commas between them."""
    return [label.strip() for label in value.split(",")] if isinstance(value, str) else value


Label = Annotated[str, Field(min_length=1)]


class ZeroShotImageClassificationParameters(PictureParameters):
    """The labels, and the sentence that each becomes."""

    candidate_labels: Annotated[tuple[Label, ...], BeforeValidator(_separated)] | None = Field(
        None, min_length=1, description="what the image may show: a list, or one text with commas between them"
    )
    hypothesis_template: str = Field("This is a photo of {}.", description="{} is where a label is put in")
    tokenizer_kwargs: dict[str, Any] = Field(default_factory=dict, description="further arguments of the tokenizer")

    _text_embeds: Tensor | None = PrivateAttr(None)
    """Of the texts, once they have been computed: parameters live as long as their call."""

    @field_validator("hypothesis_template")
    @classmethod
    def _has_a_place(cls, template: str) -> str:
        if PLACE not in template:
            raise ValueError(f"there is no {PLACE} to put a label in, so all texts would be the same")
        return template

    @property
    def texts(self) -> list[str]:
        """A sentence for each label."""
        return [self.hypothesis_template.replace(PLACE, label) for label in self.candidate_labels or ()]
