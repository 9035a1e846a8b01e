"""Linear layers that start from other values than most, in a new model. What a checkpoint holds replaces them.

I, O widths of input and output
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from modelry.nn.linear import Linear

Start = Callable[[nn.Linear], None]


class StartedLinear(Linear):
    """A linear layer and what fills it.

    Args:
        inputs: I.
        outputs: O.
        start: gives weight and bias their first values.
    """

    def __init__(self, inputs: int, outputs: int, start: Start) -> None:
        super().__init__(inputs, outputs)
        self.start = start


def as_torch_does(layer: nn.Linear) -> None:
    """Uniform, by the number of inputs."""
    layer.reset_parameters()


def even_spread(layer: nn.Linear) -> None:
    """Signals keep their variance both ways. Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html."""
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)


def nothing(layer: nn.Linear) -> None:
    """Zeros."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def outwards(heads: int, levels: int, points: int) -> Start:
    """Each head looks in a direction of its own, its points 1, 2, 3 … places away. https://arxiv.org/abs/2010.04159."""
    return partial(_outwards, heads=heads, levels=levels, points=points)


def _outwards(layer: nn.Linear, *, heads: int, levels: int, points: int) -> None:
    nn.init.zeros_(layer.weight)
    turns = torch.arange(heads) * (2 * math.pi / heads)
    steps = torch.stack((turns.cos(), turns.sin()), dim=-1)
    steps = steps / steps.abs().amax(-1, keepdim=True)  # (heads, 2), onto a square
    far = torch.arange(1, points + 1)[None, None, :, None] * steps[:, None, None, :]
    with torch.no_grad():
        layer.bias.copy_(far.expand(heads, levels, points, 2).reshape(-1))
