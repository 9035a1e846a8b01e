"""Masks, held against a loop that asks for every pair whether it may look."""

import pytest
import torch
from torch import Tensor

from modelry.nn.attention import Attend
from modelry.nn.eager import eager_attention
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry.nn.sdpa import sdpa_attention

CPU = torch.device("cpu")


def by_hand(
    *, new: int, seen: int, first: int, width: int, window: int | None, padding: list[list[int]] | None
) -> Tensor:
    rows = padding or [[1] * (seen + new)]
    allowed = torch.zeros(len(rows), 1, new, width, dtype=torch.bool)
    for row, real in enumerate(rows):
        for i in range(new):
            for j in range(width):
                query, key = seen + i, first + j
                sees = key <= query and (window is None or key > query - window)
                allowed[row, 0, i, j] = sees and (key == query or bool(real[key]))
    return allowed


@pytest.mark.parametrize("padding", [None, [[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0]]])
@pytest.mark.parametrize("window", [None, 1, 3, 100])
@pytest.mark.parametrize(("seen", "first", "width"), [(0, 0, 7), (4, 0, 7), (4, 0, 64), (6, 0, 64), (4, 2, 64)])
def test_against_the_definition(
    seen: int, first: int, width: int, window: int | None, padding: list[list[int]] | None
) -> None:
    new = 7 - seen
    attention_mask = None if padding is None else torch.tensor(padding)
    mask = causal_mask(attention_mask, new=new, seen=seen, first=first, width=width, window=window, device=CPU)
    expected = by_hand(new=new, seen=seen, first=first, width=width, window=window, padding=padding)
    if mask.causal:
        assert mask.allowed is None
        assert torch.equal(expected[0, 0], torch.ones(new, new).tril().bool())
    else:
        assert mask.allowed is not None
        assert torch.equal(mask.allowed, expected.expand_as(mask.allowed))
        assert mask.allowed.any(-1).all()


def test_nothing_to_forbid() -> None:
    assert causal_mask(new=5, device=CPU).causal
    assert causal_mask(torch.ones(2, 5), new=5, device=CPU).causal
    step = causal_mask(new=1, seen=9, device=CPU)
    assert step.allowed is None
    assert not step.causal
    assert step.additive(torch.float32) is None
    assert step.folded(torch.float32, 3) is None


def test_additive_forms_are_made_once() -> None:
    mask = causal_mask(new=3, seen=2, width=8, device=CPU)
    once = mask.additive(torch.bfloat16)
    assert once is not None
    assert once is mask.additive(torch.bfloat16)
    assert once.dtype is torch.bfloat16
    assert mask.allowed is not None
    assert torch.equal(once == 0, mask.allowed)
    assert torch.equal(once == float("-inf"), ~mask.allowed)
    folded = mask.folded(torch.bfloat16, 2)
    assert folded is mask.folded(torch.bfloat16, 2)
    assert folded is not None
    assert torch.equal(folded, torch.cat((once, once), 2))


def test_a_pattern_of_ones_own() -> None:
    own = torch.rand(2, 1, 3, 5) > 0.5
    mask = causal_mask(own, new=3, seen=2, width=8, device=CPU)
    assert mask.allowed is not None
    assert torch.equal(mask.allowed[..., :5], own)
    assert not mask.allowed[..., 5:].any()


@pytest.mark.parametrize(
    "wrong", [torch.ones(2, 4), torch.ones(2, 6), torch.ones(5), torch.ones(2, 1, 3, 5), torch.ones(2, 1, 3, 4).bool()]
)
def test_other_shapes_are_refused(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match=r"attention_mask has shape .*2 positions in the cache and 3 new ones"):
        causal_mask(wrong, new=3, seen=2, device=CPU)


def test_encoders() -> None:
    assert bidirectional_mask().allowed is None
    assert bidirectional_mask(torch.ones(2, 3)).allowed is None
    allowed = bidirectional_mask(torch.tensor([[1, 1, 0], [0, 0, 0]])).allowed
    assert allowed is not None
    assert allowed[:, 0, 0].tolist() == [[True, True, False], [True, True, True]]
    own = torch.rand(1, 1, 3, 3) > 0.5
    assert torch.equal(bidirectional_mask(own).allowed, own)  # type: ignore[arg-type]
    assert isinstance(bidirectional_mask(), Mask)


@pytest.mark.parametrize("wrong", [torch.ones(2, 3, 3), torch.ones(2, 4), torch.zeros(2, 1, 3, 3)])
def test_encoders_refuse_other_shapes(wrong: Tensor) -> None:
    with pytest.raises(ValueError, match=r"attention_mask has shape .*\(rows, 3\), 1 for real tokens"):
        bidirectional_mask(wrong, keys=3)


@pytest.mark.parametrize("attend", [eager_attention, sdpa_attention])
def test_a_bias_of_each_head_is_added_to_its_scores(attend: Attend) -> None:
    q, k, v = (torch.randn(2, 3, 4, 8) for _ in range(3))
    bias = torch.randn(1, 3, 4, 4)
    allowed = torch.ones(2, 1, 4, 4, dtype=torch.bool).tril()
    for seen, mask in ((None, Mask(bias=bias)), (allowed, Mask(allowed, bias=bias))):
        scores = q @ k.transpose(2, 3) * 0.5 + bias
        scores = scores if seen is None else scores.masked_fill(~seen, float("-inf"))
        torch.testing.assert_close(attend(q, k, v, mask, scale=0.5), scores.softmax(-1) @ v)
