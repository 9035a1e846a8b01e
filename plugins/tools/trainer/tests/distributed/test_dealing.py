"""Rows where they can be dealt out evenly, or nothing else can; of stacked experts another dimension."""

import pytest

from modelry_trainer.distributed.dealing import dealt_dimension


@pytest.mark.parametrize(
    ("shape", "shards", "divided", "dimension"),
    [
        ((160, 2560, 6144), 8, (), 0),  # each has 20
        ((160, 2560, 6144), 64, (), 1),
        ((160, 2560, 6144), 512, (), 1),
        ((160, 320, 6144), 64, (1,), 2),
        ((160, 6144, 320), 64, (2,), 1),
        ((160, 2561, 6144), 512, (), 2),
        ((160, 2561, 6145), 512, (), 0),
        ((159, 2560, 6144), 8, (), 0),  # 20 of 159 are near enough to an eighth
        ((3, 4096), 8, (), 0),  # matrices and vectors are small where they have few rows
        ((3,), 8, (), 0),
    ],
)
def test_dimensions(shape: tuple[int, ...], shards: int, divided: tuple[int, ...], dimension: int) -> None:
    assert dealt_dimension(shape, shards, divided=divided) == dimension
