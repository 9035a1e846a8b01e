"""Banks take turns."""

import torch

from modelry_constrained_beam_search.allocation import in_turns

NOTHING = float("-inf")


def test_the_best_of_each_bank_then_the_second_best():
    scores = torch.tensor([[-1.0, -2.0, -3.0, -4.0, -5.0, NOTHING]])
    banks = torch.tensor([[0, 0, 0, 2, 1, 2]])
    places, turns = in_turns(scores, banks)
    assert places.tolist() == [[3, 4, 0, 1, 2, 5]]
    assert turns.tolist()[0][:5] == [0, 0, 0, 1, 2]


def test_each_search_by_itself():
    scores = torch.tensor([[-2.0, -1.0], [-1.0, -2.0]])
    banks = torch.tensor([[1, 1], [0, 1]])
    assert in_turns(scores, banks)[0].tolist() == [[1, 0], [1, 0]]
