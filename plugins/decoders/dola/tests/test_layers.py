"""Which layers "low" and "high" are: a table worked out by hand from the published rule."""

import pytest

from modelry.errors import GenerationError
from modelry_dola.layers import premature_layers


@pytest.mark.parametrize(
    ("asked", "count", "tied", "expected"),
    [
        ("low", 8, False, (0, 2)),
        ("low", 8, True, (2,)),
        ("high", 8, False, (4, 6)),
        ("high", 8, True, (4, 6)),
        ("low", 30, True, (2, 4, 6, 8, 10, 12, 14)),
        ("low", 32, False, (0, 2, 4, 6, 8, 10, 12, 14)),
        ("high", 32, False, (16, 18, 20, 22, 24, 26, 28, 30)),
        ("high", 5, False, (2, 4)),
        ("low", 40, False, tuple(range(0, 20, 2))),
        ("low", 80, False, tuple(range(0, 20, 2))),
        ("low", 80, True, tuple(range(2, 20, 2))),
        ("high", 41, False, tuple(range(21, 41, 2))),
        ("high", 80, False, tuple(range(60, 80, 2))),
        ("low", 1, False, (0,)),
        ("low", 1, True, (0,)),
        ("low", 2, False, (0,)),
        ("low", 2, True, (1,)),
        ("low", 3, True, (2,)),
        ("low", 4, True, (2,)),
        ("high", 1, False, (0,)),
        ("high", 2, True, (1,)),
        ([5, 0, 3, 5], 8, True, (0, 3, 5)),
        ([7], 8, False, (7,)),
    ],
)
def test_layers(asked, count, tied, expected):
    assert premature_layers(asked, count=count, tied=tied) == expected


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([2, 8, 11], r"dola_layers=\[2, 8, 11\]: \[8, 11\] cannot .*; the model has 8 layers, so name some of 0 to 7"),
        ([-1], r"\[-1\] cannot be contrasted"),
        ([], "no layer is named"),
    ],
)
def test_layers_that_are_not_there(asked, says):
    with pytest.raises(GenerationError, match=says):
        premature_layers(asked, count=8, tied=False)
