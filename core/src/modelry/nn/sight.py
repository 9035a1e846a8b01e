"""Who sees whom in a few numbers, for backends that need no table of every pair of positions.

B batch   T new positions   W keys offered   S slots in use, those of the new positions included
A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F


@final
@dataclass(eq=False, kw_only=True)
class Sight:
    """What a mask's `allowed` says of every pair, said of the whole.

    Queries are the slots from `seen` on, keys those from `first` on; keys from `end` on are the unused tail of a cache.
    A slot of padding is seen by nobody else; what it sees itself is of no account, since nobody reads its result.
    """

    end: int
    """S."""
    width: int
    """W."""
    device: torch.device
    first: int = 0
    """Slot of the first key."""
    seen: int = 0
    """Slot of the first query."""
    causal: bool = True
    """A query sees itself and what stands before it. Otherwise all keys, and queries have no slots."""
    window: int | None = None
    """Positions that a query sees, itself included; None for all."""
    texts: Tensor | None = None
    """(B, S), above 0 for real tokens and 0 for padding; None where nothing is padded."""
    several: bool = False
    """Whether `texts` are numbers of texts in one row, none of which sees another."""

    def to(self, device: torch.device) -> "Sight":
        """The same on another device."""
        return replace(self, device=device, texts=None if self.texts is None else self.texts.to(device))

    def columns(self) -> Tensor | None:
        """`texts` of the keys, (B, W), 0 in the tail."""
        if self.texts is None:
            return None
        held = self.texts[:, self.first : self.first + self.width]
        return F.pad(held, (0, self.width - held.shape[1])) if held.shape[1] < self.width else held

    def table(self) -> Tensor:
        """What every query sees.

        Returns:
            (B or 1, 1, T, W) bool, or (B, 1, 1, W) where all queries see the same.
        """
        columns = self.columns()
        text = None if columns is None else columns[:, None, None]  # (B, 1, 1, W)
        own = None if self.texts is None else self.texts[:, None, self.seen : self.end, None]  # (B, 1, T, 1)
        keys = torch.arange(self.first, self.first + self.width, device=self.device)
        queries = torch.arange(self.seen, self.end, device=self.device)[:, None]
        allowed = self.sees(queries, keys, text, own)
        return allowed.expand(1, 1, *allowed.shape) if allowed.dim() == 2 else allowed

    def sees(self, here: Tensor, there: Tensor, text: Tensor | None, own: Tensor | None) -> Tensor:
        """Whether queries see keys. All arguments are broadcast against each other.

        Args:
            here: slots of queries.
            there: slots of keys.
            text: of the keys, as `columns()` says; None where nothing is padded.
            own: of the queries, as `texts` says; read where there are several.
        """
        if not self.causal:
            assert text is not None, "who sees everything needs no table"
            return text != 0
        allowed = there <= here  # the tail lies behind every query
        if self.window is not None:
            allowed = allowed & (there > here - self.window)
        if text is None:
            return allowed
        real = text != 0
        if self.several:
            assert own is not None, "texts of keys come with those of queries"
            real = real & ((text == own) | (own == 0))
        # A padded position sees itself, so that no row of the softmax is empty; nobody else sees it.
        return allowed & (real | (there == here))
