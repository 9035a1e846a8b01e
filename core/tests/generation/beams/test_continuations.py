"""Which continuations are taken: against sorting in plain Python, and by the frequency of draws."""

import itertools
from collections import Counter

import torch

from modelry.generation.beams import NEVER, Continuations, best_continuations, drawn_continuations, unfinished


def test_the_best_of_all_beams():
    totals = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(0))
    found = best_continuations(totals, 5)
    for search in range(3):
        expected = sorted(itertools.product(range(4), range(7)), key=lambda one: -float(totals[search][one]))[:5]
        assert list(zip(found.beams[search].tolist(), found.tokens[search].tolist(), strict=True)) == expected
        assert found.scores[search].tolist() == [float(totals[search][one]) for one in expected]


def test_no_more_than_there_are():
    assert best_continuations(torch.zeros(1, 2, 3), 9).scores.shape == (1, 6)
    assert drawn_continuations(torch.zeros(1, 2, 3), 9).tokens.shape == (1, 6)


def test_draws_without_replacement_have_the_right_shares():
    """First draws are distributed as softmax, and the second as softmax of what the first left."""
    shares = torch.tensor([0.5, 0.3, 0.2])
    totals = shares.log().view(1, 1, 3).expand(20_000, 1, 3)
    found = drawn_continuations(totals, 2, torch.Generator().manual_seed(1))
    counted = Counter(map(tuple, found.tokens.tolist()))
    for first, second in itertools.permutations(range(3), 2):
        expected = float(shares[first] * shares[second] / (1 - shares[first]))
        assert abs(counted[first, second] / 20_000 - expected) < 0.015
    assert torch.equal(found.scores, totals[:, 0].gather(1, found.tokens))


def test_draws_follow_their_generator():
    totals = torch.randn(2, 3, 50)
    one, other = (drawn_continuations(totals, 4, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one.tokens, other.tokens)


def test_ended_texts_do_not_go_on_while_others_are_left():
    found = Continuations(
        torch.tensor([[-1.0, -2.0, -3.0, -4.0]]), torch.tensor([[0, 1, 0, 1]]), torch.tensor([[5, 6, 7, 8]])
    )
    ended = torch.tensor([[True, False, True, False]])
    chosen = unfinished(found, ended, 2)
    assert chosen.tokens.tolist() == [[6, 8]]
    assert chosen.beams.tolist() == [[1, 1]]
    short = unfinished(found, ended, 3)
    assert short.tokens.tolist()[0][:2] == [6, 8]
    assert float(short.scores[0, 2]) <= NEVER
