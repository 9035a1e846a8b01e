"""Layers one after the other against the same written out."""

import torch
from torch import Tensor, nn

from modelry.nn.layers import mean_of_layers, run_layers
from modelry.nn.masks import Mask


class Plus(nn.Module):
    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        return x + self.number


def test_what_passes_is_kept_on_the_way() -> None:
    x, hidden = torch.zeros(1, 2, 3), []
    out = run_layers([Plus(1.0), Plus(2.0)], x, Mask(), hidden)
    assert [float(one.mean()) for one in hidden] == [0.0, 1.0, 3.0]
    assert torch.equal(out, hidden[-1])
    assert torch.equal(run_layers([Plus(1.0), Plus(2.0)], x, Mask(), None), out)


def test_layers_are_left_out_at_their_rate() -> None:
    torch.manual_seed(0)
    x, hidden = torch.zeros(1, 1, 1), []
    left = run_layers([Plus(1.0)] * 400, x, Mask(), hidden, layerdrop=0.25)
    assert 260 < float(left) < 340
    assert len(hidden) == 401
    assert torch.equal(run_layers([Plus(1.0)] * 4, x, Mask(), None, layerdrop=1.0), x)


def test_a_mean_goes_by_the_softmax_of_its_weights() -> None:
    hidden = torch.randn(3, 2, 4, 5)
    weights = torch.tensor([0.3, -1.0, 2.0])
    expected = torch.einsum("l,lbtd->btd", weights.exp() / weights.exp().sum(), hidden)
    torch.testing.assert_close(mean_of_layers(tuple(hidden), weights), expected)
