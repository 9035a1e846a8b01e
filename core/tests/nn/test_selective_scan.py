"""The scan by doubling against one step after the other, whole and in pieces; the convolution against torch's."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.selective_scan import CHUNK, causal_convolution, selective_scan


def problem(new: int, *, fast: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    make = torch.Generator().manual_seed(new)
    inputs, write, read = (torch.randn(2, new, width, generator=make) for width in (3, 4, 4))
    steps = torch.rand(2, new, 3, generator=make) + 0.01
    return inputs, steps, -fast * torch.rand(3, 4, generator=make), write, read


def by_hand(inputs: Tensor, steps: Tensor, decay: Tensor, write: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
    state = torch.zeros(2, 3, 4, dtype=torch.float64)
    found = []
    for place in range(inputs.shape[1]):
        step = steps[:, place, :, None].double()
        state = (step * decay).exp() * state + step * inputs[:, place, :, None] * write[:, place, None]
        found.append((state * read[:, place, None]).sum(-1))
    return torch.stack(found, 1).float(), state.float()


@pytest.mark.parametrize("new", [1, 3, 7, CHUNK, 2 * CHUNK + 9])
def test_against_one_after_the_other(new: int) -> None:
    for one, other in zip(selective_scan(*problem(new)), by_hand(*problem(new)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cut", [1, 2, 30, 69])
def test_in_pieces(cut: int) -> None:
    inputs, steps, decay, write, read = problem(70)
    whole, last = selective_scan(inputs, steps, decay, write, read)
    first, state = selective_scan(inputs[:, :cut], steps[:, :cut], decay, write[:, :cut], read[:, :cut])
    later = selective_scan(inputs[:, cut:], steps[:, cut:], decay, write[:, cut:], read[:, cut:], state=state)
    torch.testing.assert_close(torch.cat((first, later[0]), 1), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(later[1], last, atol=1e-5, rtol=1e-5)


def test_states_that_fade_at_once() -> None:
    """exp(-1000) is zero, and its inverse would be infinite."""
    found, state = selective_scan(*problem(50, fast=1e5))
    assert torch.isfinite(found).all()
    assert torch.isfinite(state).all()


@pytest.mark.parametrize("known", [0, 1, 3])
def test_convolution(known: int) -> None:
    make = torch.Generator().manual_seed(0)
    x, weight, bias = torch.randn(2, 3, 9, generator=make), torch.randn(3, 1, known + 1, generator=make), torch.ones(3)
    whole, _ = causal_convolution(x, weight, bias, before=None)
    expected = F.conv1d(x, weight, bias, padding=known, groups=3)[:, :, :9]
    torch.testing.assert_close(whole, expected)
    first, before = causal_convolution(x[:, :, :1], weight, bias, before=None)
    second, _ = causal_convolution(x[:, :, 1:], weight, bias, before=before)
    torch.testing.assert_close(torch.cat((first, second), 2), whole)
