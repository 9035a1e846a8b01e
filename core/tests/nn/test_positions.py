"""Positions count real tokens."""

import torch

from modelry.nn.positions import count_positions

CPU = torch.device("cpu")


def test_without_padding() -> None:
    assert count_positions(None, new=3, seen=4, device=CPU).tolist() == [[4, 5, 6]]


def test_padding_on_either_side() -> None:
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    assert count_positions(mask, new=5, device=CPU).tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 2, 2], [0, 0, 0, 0, 0]]
    assert count_positions(mask, new=2, seen=3, device=CPU).tolist() == [[1, 2], [2, 2], [0, 0]]
