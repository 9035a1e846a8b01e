"""How far a text has come towards its phrases: one automaton for each demand, all driven by tables.

A demand is a set of phrases of which one must come. Its automaton (Aho and Corasick 1975,
https://doi.org/10.1145/360825.360855) is in the state that stands for the longest end of the text with which a phrase
begins; so overlapping phrases, and phrases that begin anew inside themselves, are followed exactly.

C demands   N states of an automaton   A letters: 0 is every token of no phrase   V vocabulary
"""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from modelry_constrained_beam_search.constraints import Phrase

_FEW = 2**19
"""Entries of the largest table of all combinations of states, about 0.2 seconds to fill on one core of an AMD EPYC."""


@final
class Automata:
    """The automata of all demands. A text is in C states, 0 at its beginning.

    Args:
        demands: the phrases of each.
    """

    def __init__(self, demands: Sequence[Sequence[Phrase]], device: torch.device) -> None:
        tokens = sorted({token for phrases in demands for phrase in phrases for token in phrase})
        letter = {token: number for number, token in enumerate(tokens, start=1)}
        spelled = [[[letter[token] for token in one] for one in phrases] for phrases in demands]
        tables = [_table(phrases, len(tokens) + 1) for phrases in spelled]
        most = max(len(table) for table, _ in tables)
        self.tokens = torch.tensor(tokens, device=device)
        """(A - 1,) the token of each letter from 1 on."""
        self._next = torch.zeros(len(tables), most, len(tokens) + 1, dtype=torch.long)
        self._missing = torch.zeros(len(tables), most, dtype=torch.long)
        for row, (table, met) in enumerate(tables):
            self._next[row, : len(table)] = table
            self._missing[row, : len(table)] = _distances(table, met)
        self._strides, self._together = _combined([table for table, _ in tables], self._missing)
        self._next, self._missing = self._next.to(device), self._missing.to(device)
        self._strides, self._together = self._strides.to(device), self._together.to(device)
        self._each = torch.arange(len(tables), device=device)
        self.whole = int(self.needed(self.start()))
        """Tokens that an empty text needs."""

    def letters(self, vocabulary: int) -> Tensor:
        """(V,) letter of each token."""
        letters = torch.zeros(vocabulary, dtype=torch.long, device=self.tokens.device)
        letters[self.tokens] = torch.arange(1, len(self.tokens) + 1, device=letters.device)
        return letters

    def start(self, *shape: int) -> Tensor:
        """(*shape, C) states of empty texts."""
        return self._each.new_zeros(*shape, len(self._each))

    def after(self, states: Tensor, letters: Tensor) -> Tensor:
        """States (..., C) of texts in `states` (..., C) after one more token each, given as `letters` (...)."""
        found: Tensor = self._next[self._each, states, letters[..., None]]
        return found

    def after_each_letter(self, states: Tensor) -> Tensor:
        """(..., A, C) states after each letter."""
        every = torch.arange(self._next.shape[2], device=states.device)
        return self.after(states[..., None, :], every.expand(*states.shape[:-1], -1))

    def needed(self, states: Tensor) -> Tensor:
        """Tokens (...) with which every demand can be met: 0 where all are. There is always a next token that makes it
        one less.

        The fewest there are, unless the demands are so many that combinations of their states cannot be listed. Then
        it is the phrase that has come furthest, finished first, and the others written from their beginnings; where
        phrases overlap, fewer may do.
        """
        if len(self._together):
            return self._together[(states * self._strides).sum(dim=-1)]
        missing = self._missing[self._each, states]  # (..., C)
        anew = self._missing[:, 0] * (missing > 0)
        return anew.sum(dim=-1) - (anew - missing).amax(dim=-1)


def _table(phrases: list[list[int]], letters: int) -> tuple[Tensor, Tensor]:
    """Transitions (N, A) by letter, and which states (N,) have met the demand."""
    branches: list[dict[int, int]] = [{}]
    met = [False]
    for phrase in phrases:
        state = 0
        for letter in phrase:
            if letter not in branches[state]:
                branches[state][letter] = len(branches)
                branches.append({})
                met.append(False)
            state = branches[state][letter]
        met[state] = True
    table = torch.zeros(len(branches), letters, dtype=torch.long)
    shorter = [0] * len(branches)  # the state of the longest proper end
    queue = [0]
    for state in queue:
        if state:
            table[state] = table[shorter[state]]
        for letter, longer in branches[state].items():
            if state:
                shorter[longer] = int(table[state, letter])
            met[longer] = met[longer] or met[shorter[longer]]
            table[state, letter] = longer
            queue.append(longer)
    over = torch.tensor(met)
    stays = torch.arange(len(branches))[:, None].expand_as(table)
    return torch.where(over[:, None], stays, table), over


def _distances(table: Tensor, met: Tensor) -> Tensor:
    """(N,) fewest tokens from each state to one that has met the demand."""
    far = len(met)
    distances = torch.where(met, 0, far)
    while True:
        nearer = torch.minimum(distances, 1 + distances[table].amin(dim=1))
        if torch.equal(nearer, distances):
            return distances
        distances = nearer


def _combined(tables: list[Tensor], missing: Tensor) -> tuple[Tensor, Tensor]:
    """Fewest tokens from every combination of states to one that has met all demands.

    Returns:
        (C,) strides of the states in the number of a combination, and the tokens (combinations,), empty where they
        would be too many.
    """
    sizes = [len(table) for table in tables]
    letters, count = tables[0].shape[1], math.prod(sizes)
    if count * letters > _FEW:
        return torch.zeros(len(sizes), dtype=torch.long), torch.zeros(0, dtype=torch.long)
    strides = torch.tensor([math.prod(sizes[row + 1 :]) for row in range(len(sizes))])
    states = torch.arange(count)[:, None] // strides % torch.tensor(sizes)  # (combinations, C)
    follow = sum((table[states[:, row]] * strides[row] for row, table in enumerate(tables)), torch.tensor(0))
    met = (missing[torch.arange(len(sizes)), states] == 0).all(dim=1)
    return strides, _distances(follow, met)
