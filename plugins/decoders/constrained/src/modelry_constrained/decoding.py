"""One token at a time among those that the grammar allows; what it forces is written without asking the model.

R rows   V vocabulary   n forced tokens and the one before them
"""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import Session, StoppingCriteria, draw, likeliest
from modelry_constrained.constraint import compiled
from modelry_constrained.guide import Again, Guide
from modelry_constrained.parameters import ConstrainedParameters
from modelry_constrained.vocabularies import vocabulary


class NothingMoreFits(StoppingCriteria):
    """Ends rows whose text is complete and cannot be continued, where no end token says so."""

    def __init__(self, guide: Guide) -> None:
        self.guide = guide

    def __call__(self, input_ids: Tensor, scores: Sequence[Tensor] | None, **_: object) -> Tensor:
        stopped = [matcher.is_stopped() for matcher in self.guide.matchers]
        return torch.tensor(stopped, device=input_ids.device)


def decode(session: Session, parameters: ConstrainedParameters) -> None:
    """Continue every row until all are finished; warn of answers that were cut short.

    Raises:
        GenerationError: before the model runs, if the tokenizer is missing or the constraint cannot be met; later, if
            other logits processors rule out all that it allows.
    """
    ends = session.settings.ends.end_tokens
    words = vocabulary(session.settings.beside.get("tokenizer"), ends)
    matcher = compiled(parameters, words)
    logits = session.start(copies=parameters.num_return_sequences)  # (R, 1, V)
    guide = Guide(matcher, session.rows, (words.vocab_size + 31) // 32)
    # First, so that top-k and the like cut what is allowed; and last, so that no other processor brings a token back.
    session.settings.processors.insert(0, guide)
    session.settings.processors.append(Again(guide))
    follower = Follower(session, guide)
    if not ends:
        session.settings.ends.criteria.append(NothingMoreFits(guide))
    while True:
        guide.look()
        scores = session.scores(logits[:, -1])  # (R, V)
        new = [follower.add(draw(scores, at=session.random()) if parameters.do_sample else likeliest(scores))]
        while not session.settings.wanted and (forced := guide.forced(ends[0] if ends else None)) is not None:
            new.append(follower.add(torch.tensor(forced, device=scores.device)))
            follower.unasked += 1
        if session.done:
            break
        read, live = torch.stack(new, dim=1), (~session.finished).nonzero()[:, 0]  # (R, n)
        session.drop_finished()
        logits = session.step(read if session.rows == len(read) else read[live])  # (R, n, V)
    follower.report()


class Follower:
    """Adds tokens to the matchers and to the text."""

    def __init__(self, session: Session, guide: Guide) -> None:
        self.session, self.guide = session, guide
        self.unasked = 0
        """Steps that the grammar alone decided."""

    def add(self, ids: Tensor) -> Tensor:
        """Add (R,) tokens; returns them, ended rows padded.

        Raises:
            GenerationError: the scores are no numbers, or the other logits processors left nothing that is allowed.
        """
        wrong = self.guide.follow(ids.tolist())  # first: a criterion may ask whether a row is at its end
        self.guide.over = self.session.emit(ids).tolist()  # says what was wrong with the scores
        if wrong:
            raise GenerationError(f"the tokens {ids[wrong].tolist()} of rows {wrong} do not match the constraint")
        added: Tensor = self.session.last
        return added

    def report(self) -> None:
        """Count, and warn of answers that are not whole."""
        complete = self.guide.complete
        statistics = self.session.statistics
        statistics["answers"], statistics["complete"] = float(len(complete)), float(sum(complete))
        statistics["forced_steps"] = float(self.unasked)
        missing = len(complete) - sum(complete)
        if missing:
            warnings.warn(
                f"{missing} of {len(complete)} answers end before they match the constraint: allow more with "
                "max_new_tokens",
                ModelryWarning,
                stacklevel=5,
            )
