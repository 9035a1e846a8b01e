"""Positions count real tokens."""

import pytest
import torch

from modelry.nn.positions import check_length, count_positions, row_positions

CPU = torch.device("cpu")


def test_without_padding() -> None:
    assert count_positions(None, new=3, seen=4, device=CPU).tolist() == [[4, 5, 6]]


def test_padding_on_either_side() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    assert count_positions(mask, new=5, device=CPU).tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 2, 2], [0, 0, 0, 0, 0]]
    assert count_positions(mask, new=2, seen=3, device=CPU).tolist() == [[1, 2], [2, 2], [0, 0]]


def test_texts_in_one_row() -> None:
    mask = torch.tensor([[1, 1, 1, 2, 2, 3, 0], [0, 2, 2, 0, 2, 1, 1], [1, 1, 1, 1, 1, 1, 1]])
    expected = [[0, 1, 2, 0, 1, 0, 0], [0, 0, 1, 1, 2, 0, 1], [0, 1, 2, 3, 4, 5, 6]]
    assert count_positions(mask, new=7, device=CPU).tolist() == expected
    assert count_positions(mask, new=2, seen=5, device=CPU).tolist() == [row[-2:] for row in expected]


def test_more_positions_than_a_table_has() -> None:
    check_length(8, limit=8)
    with pytest.raises(ValueError, match="the text has 9 positions and the model 8: truncate it"):
        check_length(9, limit=8, what="the text")


def test_rows_of_a_table_of_positions() -> None:
    assert row_positions(None, new=2, seen=3, limit=5, device=CPU).tolist() == [[3, 4]]
    given = torch.tensor([[4, 0]])
    assert row_positions(given, new=2, limit=5, device=CPU) is given
    for wrong in (torch.tensor([[5]]), None):
        with pytest.raises(ValueError, match="the model 5"):
            row_positions(wrong, new=1, seen=5, limit=5, device=CPU)
