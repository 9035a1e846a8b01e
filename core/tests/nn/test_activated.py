"""A projection and its activation in one product: the numbers of two steps, within the dtype's rounding."""

import pytest
import torch
from torch import Tensor, nn

from modelry.nn.activated import activated, gated
from modelry.nn.activations import activation
from modelry.nn.linear import Linear


@pytest.fixture
def gate() -> Linear:
    torch.manual_seed(0)
    return Linear(32, 48).to(torch.bfloat16)


@pytest.fixture
def up() -> Linear:
    torch.manual_seed(1)
    return Linear(32, 48, bias=False).to(torch.bfloat16)


@pytest.fixture
def x() -> Tensor:
    return 3 * torch.randn(2, 20, 32, generator=torch.Generator().manual_seed(2)).to(torch.bfloat16)


def exact(layer: nn.Linear, x: Tensor) -> Tensor:
    bias = None if layer.bias is None else layer.bias.double()
    return nn.functional.linear(x.double(), layer.weight.double(), bias)


@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_pytorch_tanh", "relu", "quick_gelu"])
@torch.no_grad()
def test_both_are_nearer_to_the_truth_than_two_steps(name: str, gate: Linear, up: Linear, x: Tensor) -> None:
    act = activation(name)
    true, steps = act(exact(gate, x)), act(gate(x)).double()
    error, bound = (activated(x, gate, act).double() - true).norm(), (steps - true).norm()
    assert 0 < error <= bound
    true, steps = true * exact(up, x), (act(gate(x)) * up(x)).double()
    error, bound = (gated(x, gate, up, act).double() - true).norm(), (steps - true).norm()
    assert 0 < error <= bound


@torch.no_grad()
def test_hooks_are_called(gate: Linear, up: Linear, x: Tensor) -> None:
    called: list[nn.Module] = []
    for layer in (gate, up):
        layer.register_forward_hook(lambda module, inputs, output: called.append(module))
    act = activation("silu")
    activated(x, gate, act)
    gated(x, gate, up, act)
    assert called == [gate, gate, up]


def test_gradients_flow(gate: Linear, up: Linear, x: Tensor) -> None:
    torch.autograd.backward(gated(x, gate, up, activation("silu")).float().sum())
    assert gate.weight.grad is not None
    assert up.weight.grad is not None
