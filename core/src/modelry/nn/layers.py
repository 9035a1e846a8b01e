"""Layers one after the other: what is kept of the residual stream on the way, and a learned mean of it.

B rows   T positions   D width   L layers
"""

from collections.abc import Iterable, MutableSequence, Sequence

import torch
from torch import Tensor, nn

from modelry.nn.masks import Mask


def run_layers(
    layers: Iterable[nn.Module],
    x: Tensor,
    mask: Mask,
    hidden: MutableSequence[Tensor] | None,
    *,
    layerdrop: float = 0.0,
) -> Tensor:
    """(B, T, D) through all layers to the same.

    Args:
        layers: (x, mask) -> x each.
        hidden: a list for the residual stream before each layer and after the last.
        layerdrop: probability of leaving a layer out (https://arxiv.org/abs/1909.11556); give 0 outside of training.
    """
    for layer in layers:
        if hidden is not None:
            hidden.append(x)
        if not (layerdrop and float(torch.rand(())) < layerdrop):
            x = layer(x, mask)
    if hidden is not None:
        hidden.append(x)
    return x


def mean_of_layers(hidden: Sequence[Tensor], weights: Tensor) -> Tensor:
    """(B, T, D), the mean of L + 1 hidden states by the softmax of as many weights, (L + 1,)."""
    shares = weights.softmax(-1)
    return torch.stack([share * one for share, one in zip(shares, hidden, strict=True)]).sum(0)
