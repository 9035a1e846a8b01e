"""The mathematics of DoLa: which early layer differs most, and what the last layer adds to it. Pure functions.

R rows   J candidate layers   V vocabulary
"""

import math

import torch
from torch import Tensor

RELATIVE_TOP = 0.1
"""A token counts if it has at least this share of the likeliest token's probability (the paper's alpha)."""
OUTSIDE = -1e5
"""Added to the log-probability of the others: nothing is left of them; but where logits processors rule out all that
count, the likeliest of the others is said. With -inf, as in the paper, there would be nothing to say."""


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats, in [0, ln 2].

    Args:
        one: (..., V) log-probabilities.
        other: (..., V) log-probabilities.

    Returns:
        (...).
    """
    middle = torch.logaddexp(one, other) - math.log(2)
    return (_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2


def _relative_entropy(one: Tensor, other: Tensor) -> Tensor:
    share = one.exp()
    return torch.where(share > 0, share * (one - other), 0.0).sum(dim=-1)


def contrast(mature: Tensor, premature: Tensor) -> Tensor:
    """Scores of the next token: log-probability of the last layer minus that of the early layer that differs most.
    Chuang et al. 2023, https://arxiv.org/abs/2309.03883, equations 2 to 5. Each row chooses its layer.

    Args:
        mature: (R, V) logits.
        premature: (R, J, V) logits of early exits.

    Returns:
        (R, V) float32. Tokens that have less than RELATIVE_TOP of the greatest probability are lower by OUTSIDE.
    """
    last = mature.float().log_softmax(dim=-1)  # (R, V)
    early = premature.float().log_softmax(dim=-1)  # (R, J, V)
    if early.shape[1] > 1:
        farthest = jensen_shannon(last[:, None], early).argmax(dim=1)  # (R,)
        early = early[torch.arange(early.shape[0], device=early.device), farthest]
    else:
        early = early[:, 0]
    counts = last >= last.amax(dim=-1, keepdim=True) + math.log(RELATIVE_TOP)
    return torch.where(counts, last - early, last + OUTSIDE)
