"""Activation functions against their formulas."""

import math
from typing import get_args

import pytest
import torch

from modelry.nn.activation_names import ActivationName
from modelry.nn.activations import ACTIVATIONS, activation

X = torch.linspace(-4, 4, 33)
FORMULAS = {
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x / (1 + math.exp(-1.702 * x)),
    "relu2": lambda x: max(x, 0) ** 2,
    "silu": lambda x: x / (1 + math.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str) -> None:
    expected = torch.tensor([FORMULAS[name](x) for x in X.tolist()])
    torch.testing.assert_close(activation(name)(X), expected, atol=1e-5, rtol=1e-5)


def test_all_keep_their_input() -> None:
    for name in ACTIVATIONS:
        x = X.clone()
        assert activation(name)(x).shape == x.shape
        assert torch.equal(x, X)


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="no activation function is called 'slu'; there are gelu, "):
        activation("slu")


def test_configurations_know_the_same_names() -> None:
    assert set(get_args(ActivationName)) == set(ACTIVATIONS)
