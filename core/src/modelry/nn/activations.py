"""Activation functions under the names that config.json uses (`hidden_act`)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]


def quick_gelu(x: Tensor) -> Tensor:
    """x sigmoid(1.702 x), the approximation of https://arxiv.org/abs/1606.08415 section 4 that CLIP uses."""
    return x * torch.sigmoid(1.702 * x)


def relu_squared(x: Tensor) -> Tensor:
    """max(x, 0)^2, https://arxiv.org/abs/2109.08668."""
    return F.relu(x).square()


ACTIVATIONS: dict[str, Activation] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_fast": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "quick_gelu": quick_gelu,
    "relu": F.relu,
    "relu2": relu_squared,
    "relu6": F.relu6,
    "silu": F.silu,
    "swish": F.silu,
    "mish": F.mish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": F.leaky_relu,
}


def activation(name: str) -> Activation:
    """The function of that name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"no activation function is called {name!r}; there are {', '.join(sorted(ACTIVATIONS))}")
    return ACTIVATIONS[name]
