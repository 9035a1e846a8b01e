"""Packs: every row once, none too long, and few of them."""

import random

import pytest

from modelry.errors import ParameterError
from modelry_trainer.packing import PackedRows, best_fit


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_row_once_and_none_too_long(seed: int) -> None:
    drawn = random.Random(seed)
    lengths = [drawn.randint(1, 100) for _ in range(300)]
    packs = best_fit(lengths, size=128)
    assert sorted(row for pack in packs for row in pack) == list(range(300))
    assert all(sum(lengths[row] for row in pack) <= 128 for pack in packs)
    assert len(packs) <= 1.05 * sum(lengths) / 128 + 1
    assert best_fit(lengths, size=128) == packs


def test_rows_keep_their_order() -> None:
    assert best_fit([3, 9, 1, 7, 10], size=10) == [[0, 3], [1, 2], [4]]


def test_a_packed_data_set() -> None:
    rows = [{"input_ids": [number] * length} for number, length in enumerate([3, 9, 1, 7, 10])]
    packed = PackedRows(rows, size=10)
    assert len(packed) == 3
    assert packed[1] == [rows[1], rows[2]]
    assert packed[-1] == [rows[4]]
    assert packed[:2] == [[rows[0], rows[3]], [rows[1], rows[2]]]
    assert list(packed) == packed[:]


def test_a_row_that_is_too_long() -> None:
    with pytest.raises(ParameterError, match="row 1 has 9 tokens, and a pack holds 8"):
        best_fit([3, 9], size=8)
