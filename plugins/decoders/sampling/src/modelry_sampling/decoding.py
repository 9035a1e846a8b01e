"""One token at a time: the most likely, or a random one.

R rows   V vocabulary
"""

import torch
from pydantic import Field
from torch import Tensor

from modelry.generation import DecoderParameters, Session


class SamplingParameters(DecoderParameters):
    """Everything else that shapes the distribution is a logits processor, applied by the session."""

    strategy_name = "sampling"

    do_sample: bool = Field(False, description="draw at random; else take the most likely token")
    num_return_sequences: int = Field(1, gt=0, description="texts for each prompt")


def decode(session: Session, parameters: SamplingParameters) -> None:
    """Continue every row until all are finished."""
    logits = session.start(copies=parameters.num_return_sequences)
    while True:
        scores = session.scores(logits[:, -1])
        session.emit(draw(scores, session.generator) if parameters.do_sample else scores.argmax(dim=-1))
        if session.done:
            return
        logits = session.step(session.last[:, None])


def draw(scores: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw a token of each row from softmax(scores), in float32.

    An exponential race: the token whose waiting time is shortest, at a rate that is its probability. The draws are
    those of torch.multinomial for the same generator, without its wait for the device to check the probabilities.

    Args:
        scores: (R, V).

    Returns:
        (R,) int64.
    """
    rates = scores.softmax(dim=-1, dtype=torch.float32)
    waiting = torch.empty_like(rates).exponential_(1, generator=generator)
    return (rates / waiting).argmax(dim=-1)
