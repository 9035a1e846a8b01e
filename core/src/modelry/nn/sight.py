"""Who sees whom in a few numbers, for backends that need no table of every pair of positions.

B batch   T new positions   W keys offered   S slots in use, those of the new positions included
A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F


@final
class Sight:
    """What a mask's `allowed` says of every pair, said of the whole.

    Queries are the slots from `seen` on, keys those from `first` on; keys from `end` on are the unused tail of a cache.
    A slot of padding is seen by nobody else; what it sees itself is of no account, since nobody reads its result.

    Args:
        end: S.
        first: slot of the first key.
        width: W.
        seen: slot of the first query.
        causal: a query sees itself and what stands before it. Otherwise all keys, and queries have no slots.
        window: positions that a query sees, itself included; None for all.
        texts: (B, S), above 0 for real tokens and 0 for padding; None where nothing is padded.
        several: whether `texts` are numbers of texts in one row, none of which sees another.
    """

    def __init__(
        self,
        *,
        end: int,
        width: int,
        device: torch.device,
        first: int = 0,
        seen: int = 0,
        causal: bool = True,
        window: int | None = None,
        texts: Tensor | None = None,
        several: bool = False,
    ) -> None:
        self.end = end
        self.first = first
        self.width = width
        self.seen = seen
        self.causal = causal
        self.window = window
        self.texts = texts
        self.several = several
        self.device = device

    def to(self, device: torch.device) -> "Sight":
        """The same on another device."""
        return Sight(
            end=self.end,
            width=self.width,
            device=device,
            first=self.first,
            seen=self.seen,
            causal=self.causal,
            window=self.window,
            texts=None if self.texts is None else self.texts.to(device),
            several=self.several,
        )

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
        real = None if columns is None else columns.bool()[:, None, None]  # (B, 1, 1, W)
        if not self.causal:
            assert real is not None, "who sees everything needs no table"
            return real
        keys = torch.arange(self.first, self.first + self.width, device=self.device)
        queries = torch.arange(self.seen, self.end, device=self.device)[:, None]
        allowed = keys <= queries  # (T, W); the tail lies behind every query
        if self.window is not None:
            allowed = allowed & (keys > queries - self.window)
        if real is None or columns is None or self.texts is None:
            return allowed.expand(1, 1, *allowed.shape)
        if self.several:
            own = self.texts[:, None, self.seen : self.end, None]  # (B, 1, T, 1)
            real = real & ((columns[:, None, None] == own) | (own == 0))
        # A padded position sees itself, so that no row of the softmax is empty; nobody else sees it.
        return allowed & (real | (keys == queries))

    def sees(self, row: Tensor, query: Tensor, key: Tensor, *, columns: Tensor | None) -> Tensor:
        """The same of single pairs.

        Args:
            row: numbers of rows, of any shape that broadcasts with the others.
            query: numbers of queries, from 0 to T - 1.
            key: numbers of keys, from 0 to W - 1.
            columns: those of `columns()`, made once by the caller.
        """
        if not self.causal:
            assert columns is not None, "who sees everything needs no table"
            return columns[row, key] != 0
        here, there = query + self.seen, key + self.first
        allowed = there <= here
        if self.window is not None:
            allowed = allowed & (there > here - self.window)
        if columns is None or self.texts is None:
            return allowed
        text = columns[row, key]
        real = text != 0
        if self.several:
            own = self.texts[row, here]
            real = real & ((text == own) | (own == 0))
        return allowed & (real | (there == here))
