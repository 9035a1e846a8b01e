"""Beam search, and beam sampling: of all continuations of the running beams the best (or drawn ones) go on.

Each step looks at more continuations than there are beams, so that enough remain when all the best ones end; only those
among the first `num_beams` may end as results.

S searches, one for each prompt   M beams   K continuations looked at   V vocabulary
"""

from pydantic import Field

from modelry.generation import Session
from modelry.generation.beams import (
    BeamParameters,
    Hypotheses,
    Ranking,
    RunningBeams,
    best_continuations,
    drawn_continuations,
    unfinished,
)


class BeamSearchParameters(BeamParameters):
    """Everything else that shapes the scores is a logits processor, applied by the session to log-probabilities."""

    strategy_name = "beam-search"

    do_sample: bool = Field(False, description="draw the continuations; else take the best")


def decode(session: Session, parameters: BeamSearchParameters) -> None:
    """Search every prompt's continuations until no better text can be expected."""
    size, ends = parameters.num_beams, session.settings.ends
    # A pad token of 0 counts as none, as in transformers: behind a text stands its first end token again.
    pad = session.settings.pad_token or next(iter(ends.end_tokens), 0)
    ranking = Ranking(
        length_penalty=parameters.length_penalty,
        early_stopping=parameters.early_stopping,
        longest=ends.max_length - session.prompt_length,
    )
    beams = RunningBeams(session, size)
    finished = Hypotheses(len(beams.live), size, ranking, beams.scores.device)
    looked_at = size * max(2, 1 + len(ends.end_tokens))
    while True:
        totals = beams.totals()  # (S, M, V)
        searching = ~finished.settled(beams.live)
        if parameters.do_sample:
            beams.check(totals.flatten(1).amax(dim=1), searching)
            found = drawn_continuations(totals, looked_at, session.generator)  # (S, K)
        else:
            found = best_continuations(totals, looked_at)
            beams.check(found.scores[:, 0], searching)
        ended = beams.ended(found)
        final = ended.clone()
        final[:, size:] = False
        chosen = unfinished(found, ended, size)  # (S, M)
        length = beams.length + 1
        finished.offer(beams.live, found.scores, final, length=length, rows=beams.rows(found), tokens=found.tokens)
        finished.close(beams.live, chosen.scores, length=length)
        settled = finished.settled(beams.live)
        if bool(settled.all() | ended.all()):
            return beams.finish(finished, parameters.num_return_sequences, pad=pad)
        beams.advance(chosen, None if parameters.do_sample else settled)
