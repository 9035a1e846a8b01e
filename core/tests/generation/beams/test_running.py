"""Beams that drive a session: their texts, which rows leave, and the result, on the toy language model."""

import pytest
import torch

from modelry.generation import DecoderParameters, generate
from modelry.generation.beams import Hypotheses, Ranking, RunningBeams, best_continuations, unfinished

PROMPTS = torch.tensor([[3, 4, 2], [7, 1, 5]])


class Parameters(DecoderParameters):
    strategy_name = "toy-strategy"


def search(session, size, seen=None, *, drop=False):
    """The plainest beam search, to the maximum length."""
    beams = RunningBeams(session, size)
    longest = session.settings.ends.max_length - session.prompt_length
    finished = Hypotheses(len(beams.live), size, Ranking(longest=longest), beams.scores.device)
    while True:
        found = best_continuations(beams.totals(), 2 * size)
        ended = beams.ended(found)
        length = beams.length + 1
        finished.offer(beams.live, found.scores, ended, length=length, rows=beams.rows(found), tokens=found.tokens)
        if seen is not None:
            seen.append((session.rows, beams.left, beams.live.tolist()))
        if ended.all():
            return beams.finish(finished, 1)
        leaving = beams.live == 0 if drop and len(beams.live) > 1 else None
        beams.advance(unfinished(found, ended, size), leaving)


def test_one_beam_is_greedy(toy, strategy):
    with strategy(lambda session, _: search(session, 1), Parameters):
        found = generate(toy, PROMPTS, max_new_tokens=6, strategy="toy-strategy")
    assert found.tolist() == [toy.greedy(row, 6) for row in PROMPTS.tolist()]


def test_rows_that_are_not_followed_leave(toy, strategy):
    seen = []
    with strategy(lambda session, _: search(session, 3, seen, drop=True), Parameters):
        generate(toy, PROMPTS, max_new_tokens=4, strategy="toy-strategy")
    assert seen == [(6, 4, [0, 1]), (3, 3, [1]), (3, 2, [1]), (3, 1, [1])]


@pytest.mark.parametrize(
    "counting",
    [
        {"return_dict_in_generate": True, "output_scores": True},
        {"stopping_criteria": lambda ids, scores: ids[:, -1] < 0},
        {"logits_processor": [lambda ids, scores: scores]},
    ],
    ids=["scores", "criteria", "foreign processors"],
)
def test_rows_stay_where_something_counts_on_them(toy, strategy, counting):
    seen = []
    with strategy(lambda session, _: search(session, 3, seen, drop=True), Parameters):
        generate(toy, PROMPTS, max_new_tokens=3, strategy="toy-strategy", **counting)
    assert [rows for rows, _, _ in seen] == [6, 6, 6]


def test_the_record(toy, strategy):
    with strategy(lambda session, _: search(session, 2), Parameters):
        found = generate(toy, PROMPTS, max_new_tokens=4, strategy="toy-strategy", return_dict_in_generate=True)
    assert found.sequences.shape == (2, 7)
    assert found.beam_indices.shape == (2, 4)
    assert found.beam_indices[1].min() >= 2
    assert found.beam_indices[:, 0].tolist() == [0, 2]
    assert found.sequences_scores.shape == (2,)
