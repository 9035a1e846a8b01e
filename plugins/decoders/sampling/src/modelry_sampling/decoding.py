"""One token at a time: the most likely, or a random one.

R rows   V vocabulary
"""

from pydantic import Field

from modelry.generation import DecoderParameters, Session, draw, likeliest


class SamplingParameters(DecoderParameters):
    """Everything else that shapes the distribution is a logits processor, applied by the session."""

    strategy_name = "sampling"

    do_sample: bool = Field(False, description="draw at random; else take the most likely token")
    num_return_sequences: int = Field(1, gt=0, description="texts for each prompt")


def decode(session: Session, parameters: SamplingParameters) -> None:
    """Continue every row until all are finished."""
    logits = session.start(copies=parameters.num_return_sequences)  # (R, 1, V)
    while True:
        scores = session.scores(logits[:, -1])  # (R, V)
        session.emit(draw(scores, at=session.random()) if parameters.do_sample else likeliest(scores))
        if session.done:
            return
        session.drop_finished()
        logits = session.step(session.last[:, None])
