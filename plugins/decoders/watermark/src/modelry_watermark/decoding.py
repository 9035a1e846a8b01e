"""strategy="watermark": sampling that insists on a watermark, which the hook brings.

R rows   V vocabulary
"""

from typing import Any, Self

from pydantic import Field, model_validator

from modelry.generation import DecoderParameters, Session, draw, likeliest


class WatermarkParameters(DecoderParameters):
    """How tokens are chosen; the marking itself is a logits processor."""

    strategy_name = "watermark"

    watermarking_config: dict[str, Any] | None = None
    do_sample: bool = Field(False, description="draw at random; else take the most likely token")
    num_return_sequences: int = Field(1, gt=0, description="texts for each prompt")

    @model_validator(mode="after")
    def _has_a_mark(self) -> Self:
        if self.watermarking_config is None:
            raise ValueError("a watermark needs watermarking_config, a dictionary with its keys")
        if self.num_return_sequences > 1 and not self.do_sample:
            raise ValueError(
                f"num_return_sequences={self.num_return_sequences} without do_sample=True gives one text "
                f"{self.num_return_sequences} times"
            )
        return self


def decode(session: Session, parameters: WatermarkParameters) -> None:
    """Continue every row until all are finished."""
    logits = session.start(copies=parameters.num_return_sequences)  # (R, 1, V)
    while True:
        scores = session.scores(logits[:, -1])  # (R, V)
        session.emit(draw(scores, at=session.random()) if parameters.do_sample else likeliest(scores))
        if session.done:
            return
        session.drop_finished()
        logits = session.step(session.last[:, None])
