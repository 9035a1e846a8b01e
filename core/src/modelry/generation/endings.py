"""Which rows have ended, and with what: end tokens, stop strings, the caller's criteria, length and time.

R rows   P positions of the text, prompt included
"""

import math
import time
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from modelry.generation.stop_strings import StopStrings
from modelry.generation.stopping import EosTokenCriteria, StoppingCriteriaList


@dataclass(frozen=True, kw_only=True)
class EndRules:
    """What ends a row."""

    max_length: int
    """Positions, prompt included."""
    end_tokens: tuple[int, ...] = ()
    stop_strings: StopStrings | None = None
    criteria: StoppingCriteriaList = field(default_factory=StoppingCriteriaList)
    """The caller's own."""
    deadline: float = math.inf
    """time.monotonic() at which all rows end."""

    @property
    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline < math.inf and time.monotonic() > self.deadline

    def stops(self, ids: Tensor, scores: list[Tensor] | None = None) -> Tensor:
        """(N,) bool: which of any texts (N, P) end with their last token, length and time aside."""
        over = self.criteria(ids, scores)
        if self.end_tokens:
            over |= torch.as_tensor(EosTokenCriteria(self.end_tokens)(ids), device=ids.device)
        if self.stop_strings is not None:
            tails = ids[:, -self.stop_strings.reach :].tolist()
            over |= torch.tensor([self.stop_strings.completed_by(tail) for tail in tails], device=ids.device)
        return over


@final
class Endings:
    """The rows of a session that have ended. Kept on the host: one copy from the device for each token of all rows."""

    def __init__(self, rules: EndRules, rows: int, device: torch.device) -> None:
        self.rules = rules
        self.over = [False] * rows
        self.finished = torch.zeros(rows, dtype=torch.bool, device=device)
        """(R,) bool, the same on the device."""
        self.some = self.all = False
        self._ends = frozenset(rules.end_tokens)

    def after_token(self, tokens: list[int], text: Tensor, length: int, scores: list[Tensor] | None) -> None:
        """See which rows end with the tokens just added.

        Args:
            tokens: one of each row.
            text: (R, C) whose first `length` columns are the text, these tokens included.
            scores: what was collected, for the caller's criteria.
        """
        rules, over = self.rules, self.over
        ended = [row for row, token in enumerate(tokens) if token in self._ends and not over[row]]
        stops = rules.stop_strings
        if stops is not None:
            tails = text[:, max(0, length - stops.reach) : length].tolist()
            ended += [row for row, tail in enumerate(tails) if not over[row] and stops.completed_by(tail)]
        if rules.criteria:
            ended += [row for row, ends in enumerate(rules.criteria(text[:, :length], scores).tolist()) if ends]
        if length >= rules.max_length or (rules.deadline < math.inf and rules.out_of_time):
            ended = list(range(len(over)))
        if ended:
            self._mark(ended)

    def after_row_token(self, row: int, token: int, ids: Tensor, scores: list[Tensor] | None) -> bool:
        """See whether one row ends with a token; `ids`: (1, P), the text of that row. Returns whether it has ended."""
        rules, stops = self.rules, self.rules.stop_strings
        if (
            token in self._ends
            or ids.shape[1] >= rules.max_length
            or (stops is not None and stops.completed_by(ids[0, -stops.reach :].tolist()))
            or (rules.criteria and bool(rules.criteria(ids, scores).any()))
            or rules.out_of_time
        ):
            self._mark([row])
        return self.over[row]

    def keep(self, order: list[int]) -> None:
        """Make row i what row `order[i]` was."""
        self.over = [self.over[row] for row in order]
        self._mark([])

    def _mark(self, rows: list[int]) -> None:
        for row in rows:
            self.over[row] = True
        self.finished = torch.tensor(self.over, dtype=torch.bool, device=self.finished.device)
        self.some, self.all = any(self.over), all(self.over)
