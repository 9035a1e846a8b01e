"""The cheapest pairs are those that trying all would find."""

from itertools import permutations

import pytest
import torch

from modelry.heads.matching import cheapest_pairs


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (6, 2), (2, 6), (5, 4), (4, 0), (0, 3)])
def test_nothing_is_cheaper(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(shape[0])
    for _ in range(8):
        cost = torch.randn(shape, generator=generator) * 3
        predictions, objects = cheapest_pairs(cost)
        assert predictions.tolist() == sorted(set(predictions.tolist()))
        assert len(set(objects.tolist())) == len(objects) == min(shape)
        tall = cost if shape[0] >= shape[1] else cost.T
        every = (
            sum(tall[row, number] for number, row in enumerate(one))
            for one in permutations(range(len(tall)), min(shape))
        )
        assert float(cost[predictions, objects].sum()) == pytest.approx(float(min(every)), abs=1e-5)


def test_what_is_not_finite_comes_last() -> None:
    cost = torch.tensor([[float("nan"), 5.0], [1.0, float("inf")], [7.0, float("-inf")]])
    predictions, objects = cheapest_pairs(cost)
    assert (predictions.tolist(), objects.tolist()) == ([0, 1], [1, 0])


def test_equal_costs_have_pairs_too() -> None:
    predictions, objects = cheapest_pairs(torch.zeros(3, 2))
    assert len(predictions) == 2
    assert sorted(objects.tolist()) == [0, 1]
