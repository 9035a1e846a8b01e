"""What a visual-question-answering call may say."""

from typing import Any

from pydantic import Field

from modelry.pipelines.image_text import ImageTextParameters


class VisualQuestionAnsweringParameters(ImageTextParameters):
    """How many answers come back, and every keyword of `generate` but sampling's `top_k`, which has another meaning."""

    top_k: int = Field(1, gt=0, description="so many answers, the best first: of beams where there are several")

    @property
    def generation(self) -> dict[str, Any]:
        beams = {"num_beams": self.top_k, "num_return_sequences": self.top_k} if self.top_k > 1 else {}
        return {**beams, **super().generation}
