"""The penalty is the greatest cosine with what was said, padding aside."""

import math

import pytest
import torch

from modelry_contrastive_search.context import Context


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_greatest_cosine_while_the_text_grows(dtype):
    random = torch.Generator().manual_seed(0)
    states = torch.randn(3, 4, 5, generator=random).to(dtype)
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1]])
    context = Context(states, mask)
    said = [[states[row, place].tolist() for place in range(4) if mask[row, place]] for row in range(3)]
    for _ in range(70):  # beyond the first room
        candidates = torch.randn(3, 2, 5, generator=random).to(dtype)
        expected = [
            [max(cosine(one.tolist(), old) for old in said[row]) for one in candidates[row]] for row in range(3)
        ]
        torch.testing.assert_close(context.likeness(candidates), torch.tensor(expected), rtol=1e-5, atol=1e-5)
        context.add(candidates[:, 1])
        for row in range(3):
            said[row].append(candidates[row, 1].tolist())


def test_padding_resembles_nothing_even_if_it_is_no_number():
    states = torch.tensor([[[float("nan"), 1.0], [1.0, 0.0]]])
    context = Context(states, torch.tensor([[0, 1]]))
    assert context.likeness(torch.tensor([[[-2.0, 0.0], [3.0, 0.0]]])).tolist() == [[-1.0, 1.0]]
    assert Context(states[:, 1:], None).likeness(torch.tensor([[[0.0, 0.0]]])).tolist() == [[0.0]]
