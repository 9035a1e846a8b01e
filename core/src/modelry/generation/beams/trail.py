"""Where running beams came from: enough to write out the few texts that are wanted in the end.

R rows (beams of all searches)   N texts   L new tokens of the longest of them
"""

from typing import final

import torch
from torch import Tensor


@final
class Trail:
    """For each step, the row that each row came from and the token it got. Rows keep their first numbers for ever.

    Args:
        longest: steps there is room for.
        rows: R.
    """

    def __init__(self, longest: int, rows: int, device: torch.device) -> None:
        self.steps = 0
        self._parents = torch.zeros(longest, rows, dtype=torch.long, device=device)
        self._tokens = torch.zeros(longest, rows, dtype=torch.long, device=device)

    def append(self, rows: Tensor, parents: Tensor, tokens: Tensor) -> None:
        """Note one step: `rows` (R',), those still followed, came from `parents` (R',) with `tokens` (R',)."""
        self._parents[self.steps, rows] = parents
        self._tokens[self.steps, rows] = tokens
        self.steps += 1

    def trace(self, lengths: Tensor, rows: Tensor, tokens: Tensor, *, pad: int) -> tuple[Tensor, Tensor]:
        """Write texts out from their ends.

        Args:
            lengths: (N,) new tokens of each; 0 is an empty text.
            rows: (N,) the row that each text's last token continued.
            tokens: (N,) that token.

        Returns:
            ids (N, L), and the row that each came from (N, L), -1 behind the end.
        """
        longest = int(lengths.max())
        ids = tokens.new_full((longest, len(tokens)), pad)
        origins = tokens.new_full((longest, len(tokens)), -1)
        at = rows
        for step in reversed(range(longest)):
            last, within = lengths == step + 1, lengths > step
            parents = torch.where(last, rows, self._parents[step, at])
            ids[step] = torch.where(last, tokens, torch.where(within, self._tokens[step, at], pad))
            origins[step] = torch.where(within, parents, -1)
            at = torch.where(within, parents, at)
        return ids.T.contiguous(), origins.T.contiguous()
