"""Length penalties, and the length that running beams are hoped to have."""

import pytest

from modelry.errors import GenerationError
from modelry.generation.beams import Ranking


def test_divisors():
    ranking = Ranking(length_penalty=2.0, longest=10)
    assert ranking.divisor(3) == 9.0
    assert ranking.hoped_divisor(3) == 9.0


@pytest.mark.parametrize(("length_penalty", "expected"), [(2.0, 100.0), (0.0, 1.0), (-1.0, 1 / 3)])
def test_never_hopes_for_the_best_length(length_penalty, expected):
    ranking = Ranking(length_penalty=length_penalty, early_stopping="never", longest=10)
    assert ranking.hoped_divisor(3) == pytest.approx(expected)


@pytest.mark.parametrize("length_penalty", [1e5, -1e5, float("nan"), float("inf")])
def test_impossible_penalties(length_penalty):
    with pytest.raises(GenerationError, match="is impossible for 20 new tokens"):
        Ranking(length_penalty=length_penalty, longest=20)
