"""Rows that have left the batch: their texts, and where each row that stays was at the start.

R live rows   S rows at the start   C columns there is room for
"""

from typing import final

import torch
from torch import Tensor


@final
class Seats:
    """Made when the first rows leave.

    Args:
        tokens: (S, C) of all rows.
    """

    def __init__(self, tokens: Tensor) -> None:
        self.count = tokens.shape[0]
        self._tokens = tokens
        self._numbers = torch.arange(self.count, device=tokens.device)

    def leave(self, tokens: Tensor, live: Tensor) -> None:
        """Keep the texts (R, C) of all rows, and from now on count only the rows `live`."""
        self.whole(tokens)
        self._numbers = self._numbers[live]

    def whole(self, tokens: Tensor) -> Tensor:
        """(S, C): the texts of those that left, and these (R, C) of those that are here."""
        if tokens is not self._tokens:
            self._tokens = self._tokens.index_copy(0, self._numbers, tokens)
        return self._tokens

    def spread(self, ids: Tensor, pad: int) -> Tensor:
        """(R,) to (S,), `pad` where a row has left."""
        return ids.new_full((self.count,), pad).index_copy_(0, self._numbers, ids)

    def mine(self, values: Tensor) -> Tensor:
        """(S, ...) to (R, ...): those of the rows that are here."""
        return values[self._numbers]

    def names(self, rows: list[int]) -> list[int]:
        """Rows that are here by their numbers at the start."""
        found: list[int] = self._numbers[rows].tolist()
        return found
