"""The gated block, the activation functions and the positions."""

import pytest
import torch
from torch.nn import functional as F

from modelry.nn.activations import activation
from modelry.nn.fuse import fuse_projections
from modelry.nn.mlp import GatedMLP, PlainMLP


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", ["silu", "gelu_pytorch_tanh"])
def test_gated(name: str, bias: bool) -> None:
    mlp, x = GatedMLP(6, 10, act=activation(name), bias=bias), torch.randn(2, 3, 6)
    act = F.silu if name == "silu" else (lambda gate: F.gelu(gate, approximate="tanh"))
    expected = mlp.down_proj(act(mlp.gate_proj(x)) * mlp.up_proj(x))
    torch.testing.assert_close(mlp(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(mlp(x), expected)
        assert fuse_projections(mlp) == 1
        torch.testing.assert_close(mlp(x), expected)
    mlp(x).sum().backward()
    assert all(parameter.grad is not None for parameter in mlp.parameters())


def test_plain() -> None:
    mlp, x = PlainMLP(6, 10, act=F.relu), torch.randn(2, 3, 6)
    expected = F.relu(x @ mlp.fc1.weight.T + mlp.fc1.bias) @ mlp.fc2.weight.T + mlp.fc2.bias
    torch.testing.assert_close(mlp(x), expected)
