"""One token at a time among those that the grammar allows; what it forces is written without asking the model.

R rows   V vocabulary   n forced tokens and the one before them
"""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import Session, StoppingCriteria, draw, likeliest
from modelry.generation import processors as known
from modelry_constrained.constraint import compiled
from modelry_constrained.guide import Again, Guide, WhereItMayEnd
from modelry_constrained.parameters import ConstrainedParameters
from modelry_constrained.vocabularies import vocabulary

_NEEDS_NO_SAY = (
    *(known.TemperatureLogitsWarper, known.TopHLogitsWarper, known.TopKLogitsWarper, known.TopPLogitsWarper),
    *(known.MinPLogitsWarper, known.TypicalLogitsWarper, known.EpsilonLogitsWarper, known.EtaLogitsWarper),
    *(known.RepetitionPenaltyLogitsProcessor, known.EncoderRepetitionPenaltyLogitsProcessor),
    *(known.FrequencyPenaltyLogitsProcessor, known.PresencePenaltyLogitsProcessor, known.LogitNormalization),
    *(known.MinLengthLogitsProcessor, known.MinNewTokensLengthLogitsProcessor, known.ExponentialDecayLengthPenalty),
    known.ForcedEOSTokenLogitsProcessor,
)
"""Processors that neither rule out the only token there is nor remember what they were shown: what is forced may be
written without them."""


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
    ends, processors = session.settings.ends.end_tokens, session.settings.processors
    words = vocabulary(session.settings.beside.get("tokenizer"), ends)
    matcher = compiled(parameters, words)
    logits = session.start(copies=parameters.num_return_sequences)  # (R, 1, V)
    end = ends[0] if ends else None
    guide = Guide(matcher, session.rows, (words.vocab_size + 31) // 32, end)
    silent = not session.settings.wanted and all(isinstance(one, _NEEDS_NO_SAY) for one in processors)
    processors[:] = [
        WhereItMayEnd(one, guide) if isinstance(one, known.ForcedEOSTokenLogitsProcessor) else one for one in processors
    ]
    # First, so that top-k and the like cut what is allowed; and last, so that no other processor brings a token back.
    processors.insert(0, guide)
    processors.append(Again(guide))
    follower = Follower(session, guide, parameters)
    if not ends:
        session.settings.ends.criteria.append(NothingMoreFits(guide))
    guide.look()
    while True:
        scores = session.scores(logits[:, -1])  # (R, V)
        new = [follower.add(draw(scores, at=session.random()) if parameters.do_sample else likeliest(scores))]
        while not session.done and (forced := guide.look()) is not None and silent:
            if parameters.do_sample:
                session.random()  # so that the other draws are what they would be were this one asked for
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

    def __init__(self, session: Session, guide: Guide, parameters: ConstrainedParameters) -> None:
        self.session, self.guide = session, guide
        self.least = max(parameters.min_new_tokens or 0, (parameters.min_length or 0) - session.prompt_length)
        self.short = 0
        """Answers that ended with fewer tokens, since nothing more matches."""
        self.unasked = 0
        """Steps that the grammar alone decided."""

    def add(self, ids: Tensor) -> Tensor:
        """Add (R,) tokens; returns them, ended rows padded.

        Raises:
            GenerationError: the scores are no numbers, or the other logits processors left nothing that is allowed.
        """
        if self.session.ids.shape[1] - self.session.prompt_length < self.least:
            self.short += len(self.guide.stopped)
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
        if self.short:
            warnings.warn(
                f"{self.short} of {len(complete)} answers are shorter than the {self.least} tokens asked for by "
                "min_new_tokens or min_length: they match the constraint, and nothing longer that begins so does",
                ModelryWarning,
                stacklevel=5,
            )
