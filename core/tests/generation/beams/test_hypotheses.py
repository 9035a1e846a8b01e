"""Finished texts: the best are kept, and searches close when nothing better is expected."""

import pytest
import torch

from modelry.generation.beams import NEVER, Hypotheses, Ranking

CPU = torch.device("cpu")


def offer(finished, scores, final, length, searches=(0,)):
    scores = torch.tensor(scores)
    places = torch.arange(scores.shape[1]).expand(scores.shape)
    finished.offer(torch.tensor(searches), scores, torch.tensor(final), length=length, rows=places, tokens=places + 50)


def test_better_texts_take_the_places_of_worse_ones():
    finished = Hypotheses(1, 2, Ranking(longest=9), CPU)
    offer(finished, [[-4.0, -6.0, -1.0]], [[True, True, False]], 2)
    assert finished.scores.tolist() == [[-2.0, -3.0]]
    offer(finished, [[-6.0, -7.5, -0.1]], [[False, True, False]], 3)
    assert finished.scores.tolist() == [[-2.0, -2.5]]
    assert finished.ends[:, 0].T.tolist() == [[2, 0, 50], [3, 1, 51]]


def test_nothing_final_changes_nothing():
    finished = Hypotheses(1, 2, Ranking(longest=9), CPU)
    offer(finished, [[-4.0, -6.0]], [[False, False]], 2)
    assert finished.scores.tolist() == [[NEVER, NEVER]]
    assert not finished.complete.any()


@pytest.mark.parametrize(("early_stopping", "expected"), [(True, [[-2.0]]), (False, [[-1.0]]), ("never", [[-1.0]])])
def test_early_stopping_takes_the_first(early_stopping, expected):
    finished = Hypotheses(1, 1, Ranking(longest=9, early_stopping=early_stopping), CPU)
    offer(finished, [[-4.0]], [[True]], 2)
    assert finished.settled(torch.tensor([0])).tolist() == [early_stopping is True]
    offer(finished, [[-3.0]], [[True]], 3)
    assert finished.scores.tolist() == expected


@pytest.mark.parametrize(("early_stopping", "is_open"), [(False, False), ("never", True)])
def test_closing_counts_on_the_hoped_length(early_stopping, is_open):
    """A beam at -9 after three tokens: -3 a token now, -1 a token if it were nine tokens long."""
    finished = Hypotheses(1, 1, Ranking(longest=9, early_stopping=early_stopping), CPU)
    offer(finished, [[-4.0]], [[True]], 2)
    finished.close(torch.tensor([0]), torch.tensor([[-9.0]]), length=3)
    assert finished.open.tolist() == [is_open]
    offer(finished, [[-3.0]], [[True]], 3)
    assert finished.scores.tolist() == [[-1.0 if is_open else -2.0]]


def test_an_empty_place_keeps_a_search_open_while_a_beam_runs():
    finished = Hypotheses(2, 2, Ranking(longest=9), CPU)
    both = torch.tensor([0, 1])
    offer(finished, [[-1.0], [-1.0]], [[True], [True]], 1, searches=(0, 1))
    finished.close(both, torch.tensor([[-80.0, -90.0], [float("-inf"), float("-inf")]]), length=2)
    assert finished.open.tolist() == [True, False]


def test_searches_that_are_not_looked_at_stay_as_they_are():
    finished = Hypotheses(3, 1, Ranking(longest=9), CPU)
    offer(finished, [[-1.0], [-2.0]], [[True], [True]], 1, searches=(0, 2))
    assert finished.scores[:, 0].tolist() == [-1.0, NEVER, -2.0]
