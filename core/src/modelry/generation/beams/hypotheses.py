"""The best finished texts of each search, and whether a better one can still come.

S searches   S' of them, those looked at   M texts kept of each   K continuations
"""

from typing import final

import torch
from torch import Tensor

from modelry.generation.beams.continuations import NEVER
from modelry.generation.beams.ranking import Ranking


@final
class Hypotheses:
    """Places for M texts of each search, best first. A text is its end: see `Trail`.

    Args:
        searches: S.
        size: M.
    """

    def __init__(self, searches: int, size: int, ranking: Ranking, device: torch.device) -> None:
        self.ranking = ranking
        self.scores = torch.full((searches, size), NEVER, device=device)
        """(S, M) float32, after the length penalty."""
        self.complete = torch.zeros(searches, size, dtype=torch.bool, device=device)
        """(S, M): places that hold a finished text."""
        self.open = torch.ones(searches, dtype=torch.bool, device=device)
        """(S,): searches in which a better text may still come."""
        self.ends = torch.zeros(3, searches, size, dtype=torch.long, device=device)
        """(3, S, M): new tokens of each text, the row its last token continued, that token."""

    def offer(
        self, searches: Tensor, scores: Tensor, final: Tensor, *, length: int, rows: Tensor, tokens: Tensor
    ) -> None:
        """Let finished texts take the places of worse ones.

        Args:
            searches: (S',) whose continuations these are.
            scores: (S', K) summed log-probabilities.
            final: (S', K) bool, which of them are finished texts.
            length: new tokens of each.
            rows: (S', K) the row that each continues.
            tokens: (S', K) their last tokens.
        """
        if not bool(final.any()):
            return
        held, size = self.complete[searches], self.scores.shape[1]
        full = held.all(dim=1, keepdim=True) & (self.ranking.early_stopping is True)
        offered = scores / self.ranking.divisor(length)
        for refused in (full, ~self.open[searches, None], ~final):
            offered = offered + refused * NEVER
        merged, places = torch.cat((self.scores[searches], offered), dim=1).topk(size)  # (S', M)
        ends = torch.stack((torch.full_like(rows, length), rows, tokens))
        everything = torch.cat((self.ends[:, searches], ends), dim=2)  # (3, S', M + K)
        self.scores[searches] = merged
        self.complete[searches] = torch.cat((held, final), dim=1).gather(1, places)
        self.ends[:, searches] = everything.gather(2, places.expand(3, -1, -1))

    def close(self, searches: Tensor, running: Tensor, *, length: int) -> None:
        """Close the searches whose running beams are not expected to become better than the worst text kept.

        A search with an empty place stays open, as long as a beam runs in it.

        Args:
            searches: (S',).
            running: (S', M) summed log-probabilities of the running beams.
            length: their new tokens.
        """
        best = running.amax(dim=1) / self.ranking.hoped_divisor(length)
        worst = self.scores[searches].amin(dim=1)
        self.open[searches] &= best > torch.where(self.complete[searches].all(dim=1), worst, NEVER)

    def settled(self, searches: Tensor) -> Tensor:
        """(S',) bool: searches that nothing can change any more."""
        if self.ranking.early_stopping is not True:
            return ~self.open[searches]
        return ~self.open[searches] | self.complete[searches].all(dim=1)
