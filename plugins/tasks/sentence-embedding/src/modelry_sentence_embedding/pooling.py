"""From the hidden states of a text's tokens to one vector: pure functions.

B texts   T tokens   D hidden width
"""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

PoolingName = Literal["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The average of a text's tokens. Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084.

    Args:
        hidden: (B, T, D).
        mask: (B, T), 1 for the tokens that count.

    Returns:
        (B, D).
    """
    return summed(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1)


def summed(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, D), the sum of the tokens that count."""
    return torch.bmm(mask.to(hidden.dtype)[:, None], hidden)[:, 0]


def mean_sqrt_len_tokens(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, D), the sum over the square root of the number of tokens."""
    return summed(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1).sqrt()


def weightedmean(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, D), the average in which the n-th token counts n times. https://arxiv.org/abs/2202.08904."""
    weights = mask.cumsum(1) * mask
    return summed(hidden, weights) / weights.sum(1, keepdim=True).clamp(min=1)


def cls(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, D), the first token that counts."""
    return hidden[torch.arange(len(hidden), device=hidden.device), mask.argmax(1)]


def lasttoken(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, D), the last token that counts."""
    last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), last]


def largest(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, D), the largest value of each column among the tokens that count."""
    return hidden.masked_fill(mask[..., None] == 0, float("-inf")).amax(1)


POOLINGS: Mapping[PoolingName, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean,
    "cls": cls,
    "max": largest,
    "mean_sqrt_len_tokens": mean_sqrt_len_tokens,
    "weightedmean": weightedmean,
    "lasttoken": lasttoken,
}
"""By their published names."""


def pool(hidden: Tensor, mask: Tensor, names: tuple[PoolingName, ...]) -> Tensor:
    """Several poolings one behind the other, in float32.

    Args:
        hidden: (B, T, D).
        mask: (B, T), 1 for the tokens that count.
        names: N of them.

    Returns:
        (B, N D).
    """
    wide = hidden.float()
    parts = [POOLINGS[name](wide, mask) for name in names]
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)
