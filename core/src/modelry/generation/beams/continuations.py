"""Which continuations of the running beams are looked at, and which of them go on. Pure functions.

S searches   M beams of each   K continuations of each   V vocabulary
"""

from typing import NamedTuple

import torch
from torch import Tensor

NEVER = -1.0e9
"""Added to the score of what must not be chosen. Finite, so that such continuations keep an order among themselves
where nothing better is left, as the ecosystem's beam search has it."""


class Continuations(NamedTuple):
    """Beams, each with one token more."""

    scores: Tensor
    """(S, K) summed log-probabilities."""
    beams: Tensor
    """(S, K) int64: which beam is continued."""
    tokens: Tensor
    """(S, K) int64: with what."""

    def chosen(self, places: Tensor) -> "Continuations":
        """Those at `places` (S, K')."""
        return Continuations(*(one.gather(1, places) for one in self))


def best_continuations(totals: Tensor, count: int) -> Continuations:
    """The `count` best, best first; fewer where there are not so many.

    Args:
        totals: (S, M, V) score of each beam with each token.
    """
    flat = totals.flatten(1)
    scores, places = flat.topk(min(count, flat.shape[1]))
    return _at(places, scores, totals.shape[-1])


def drawn_continuations(totals: Tensor, count: int, generator: torch.Generator | None = None) -> Continuations:
    """`count` different ones, drawn one after another from softmax(totals), in the order drawn.

    The largest of p / q with q from Exp(1) is a draw from p, and the `count` largest are draws without replacement
    (Kool et al. 2019, https://arxiv.org/abs/1903.06059). torch.multinomial does the same, for 2^24 values at most.

    Args:
        totals: (S, M, V), numbers or -inf.
        generator: on their device; None is torch's global one.
    """
    flat = totals.flatten(1)
    shares = flat.softmax(dim=-1)
    waits = torch.empty_like(shares).exponential_(generator=generator)
    places = (shares / waits).topk(min(count, flat.shape[1])).indices
    return _at(places, flat.gather(1, places), totals.shape[-1])


def unfinished(found: Continuations, ended: Tensor, beams: int) -> Continuations:
    """The `beams` best that have not ended, best first; where too few are left, ended ones far below them.

    Args:
        ended: (S, K) bool.
    """
    scores = found.scores + ended * NEVER
    return found._replace(scores=scores).chosen(scores.topk(beams).indices)


def _at(places: Tensor, scores: Tensor, vocabulary: int) -> Continuations:
    return Continuations(scores, places // vocabulary, places % vocabulary)
