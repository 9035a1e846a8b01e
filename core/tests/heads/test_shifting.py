"""What a decoder reads to learn an answer."""

import torch

from modelry.heads.shifting import shift_right, wrap_right


def test_shift_right():
    ids = torch.tensor([[5, 6, -100], [7, -100, -100]])
    assert shift_right(ids, start=2, padding=1).tolist() == [[2, 5, 6], [2, 7, 1]]


def test_wrap_right():
    ids = torch.tensor([[5, 6, 2, 9], [7, 2, 9, -100], [8, 9, 1, 1]])
    assert wrap_right(ids, padding=1).tolist() == [[9, 5, 6, 2], [9, 7, 2, 9], [9, 8, 9, 1]]
