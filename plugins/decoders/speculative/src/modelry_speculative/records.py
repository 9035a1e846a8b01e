"""Scores and logits of each token said, where a call asks for them: of what was read, only what became text.

R rows   K drafted tokens   N new tokens of the longest row   V vocabulary
"""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from modelry.generation.session import Session


@final
class Records:
    """Kept by row while rows advance by different numbers of tokens. Begins with what the first token was taken from.

    Args:
        session: which has scored its first token.
    """

    def __init__(self, session: Session) -> None:
        self._collected = session.collected
        self._rows = {name: [[row] for row in found[0].unbind()] for name, found in self._collected.items()}

    def add(self, logits: Tensor, scores: Tensor, grown: Sequence[Sequence[int]]) -> None:
        """Note one pass.

        Args:
            logits: (R, K + 1, V) as the model said them.
            scores: (R, K + 1, V) after the logits processors.
            grown: the tokens that each row has grown by.
        """
        for name, rows in self._rows.items():
            values = scores if name == "scores" else logits
            for row, tokens in enumerate(grown):
                rows[row] += values[row, : len(tokens)].float().unbind()

    def hand_over(self) -> None:
        """Give the session N times (R, V); zeros where a row has no token any more."""
        for name, rows in self._rows.items():
            nothing = torch.zeros_like(rows[0][0])
            steps = max(map(len, rows))
            self._collected[name][:] = [
                torch.stack([row[step] if step < len(row) else nothing for row in rows]) for step in range(steps)
            ]
