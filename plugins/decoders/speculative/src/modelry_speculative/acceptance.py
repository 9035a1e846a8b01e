"""From what was drafted to what is said. Pure functions.

Greedy: the most likely token. Sampled: Leviathan et al. 2023, https://arxiv.org/abs/2211.17192 (Chen et al. 2023,
https://arxiv.org/abs/2302.01318): a draft x of distribution q is accepted with probability min(1, p(x) / q(x)), and
otherwise a token is drawn from max(0, p - q), so that the outcome follows p. The token drawn then is never the drafted
one: in both cases a draft is accepted exactly if it is the outcome.

N positions   V vocabulary
"""

import torch
from torch import Tensor

from modelry.generation.choosing import draw


def draw_with_draft(
    scores: Tensor,
    drafted: Tensor,
    offered: Tensor,
    shares: Tensor | None = None,
    *,
    random: Tensor,
) -> Tensor:
    """Draw a token of each position from softmax(scores), the drafted one as often as can be.

    Args:
        scores: (N, V) of the model.
        drafted: (N,) int64.
        offered: (N,) bool, False where there is no draft and `drafted` means nothing.
        shares: (N, V) float32, the distribution that each draft was drawn from; None: all of it on the draft.
        random: (N, 2) in [0, 1).

    Returns:
        (N,) int64.
    """
    target = scores.softmax(dim=-1, dtype=torch.float32)  # (N, V)
    at = drafted[:, None]
    wanted = target.gather(1, at)[:, 0]  # (N,)
    if shares is None:
        likely, rest = torch.ones_like(wanted), target.scatter(1, at, 0.0)
    else:
        likely, rest = shares.gather(1, at)[:, 0], (target - shares).clamp_(min=0)
    accepted = offered & (random[:, 0] * likely < wanted)
    # Where rounding leaves nothing to draw from, draft and target are one distribution.
    usable = offered & (rest.sum(dim=-1) > 0)
    drawn = draw(torch.where(usable[:, None], rest, target).log(), at=random[:, 1:])
    return torch.where(accepted, drafted, drawn)


def said(drafted: list[int], outcomes: list[int]) -> list[int]:
    """The tokens that one row grows by: the accepted drafts, and the first outcome that is none.

    Args:
        drafted: K tokens.
        outcomes: of each position after 0 to K drafts, at least up to the first that is not the draft.
    """
    accepted = 0
    while accepted < len(drafted) and drafted[accepted] == outcomes[accepted]:
        accepted += 1
    return outcomes[: accepted + 1]
