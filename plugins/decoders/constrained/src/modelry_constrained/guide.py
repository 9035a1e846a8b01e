"""Which tokens may come next in each row: one matcher a row, one mask a step.

R rows   V vocabulary   W 32-bit words of a mask
"""

from typing import final

import torch
from llguidance import LLMatcher
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation import LogitsProcessor

_BITS = 32


@final
class Guide(LogitsProcessor):
    """Follows the rows through the grammar, and rules out what it does not allow.

    Args:
        start: a matcher that stands at the beginning.
        rows: R.
        words: W, enough for the tokenizer's vocabulary.
    """

    def __init__(self, start: LLMatcher, rows: int, words: int) -> None:
        self.matchers = [start.deep_copy() for _ in range(rows)]
        self.over = [False] * rows
        """Rows that have ended: they are followed no longer."""
        self._mask = torch.full((rows, words), -1, dtype=torch.int32)  # (R, W) one bit for each token
        self._ruled_out: Tensor | None = None
        self._left: list[bool] = []

    def look(self) -> None:
        """Ask the matchers what may come next; to be called before the scores of a step.

        Raises:
            GenerationError: a limit of the grammar engine is reached.
        """
        size = self._mask.shape[1] * self._mask.element_size()
        for row, matcher in enumerate(self.matchers):
            if self.over[row]:
                self._mask[row] = -1
                continue
            matcher.unsafe_compute_mask_ptr(self._mask[row].data_ptr(), size)
            if matcher.is_error():
                raise GenerationError(f"row {row} cannot go on: {matcher.get_error().splitlines()[0]}")
        self._ruled_out = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._ruled_out is None:
            self._ruled_out = self._as_bools(scores)
        return scores.masked_fill(self._ruled_out, float("-inf"))

    def keep(self, rows: Tensor) -> None:
        """Go on with `rows` (R',) of the rows; of the others only stays whether they are complete."""
        order = rows.tolist()
        self._left += [one.is_accepting() for row, one in enumerate(self.matchers) if row not in order]
        self.matchers, self.over = [self.matchers[row] for row in order], [self.over[row] for row in order]
        self._mask, self._ruled_out = self._mask[rows.cpu()], None

    def _as_bools(self, scores: Tensor) -> Tensor:
        """(R, V) True where a token must not come; tokens that the tokenizer does not have never come."""
        mask = self._mask.to(scores.device)
        bits = (mask[:, :, None] >> torch.arange(_BITS, dtype=torch.int32, device=mask.device)) & 1  # (R, W, 32)
        allowed = bits.flatten(1)[:, : scores.shape[1]].bool()
        ruled_out = torch.ones_like(scores, dtype=torch.bool)
        ruled_out[:, : allowed.shape[1]] = ~allowed
        return ruled_out

    def follow(self, tokens: list[int]) -> list[int]:
        """Tell the matchers which tokens are added, one of each row; returns the rows whose token does not fit."""
        live = [row for row, is_over in enumerate(self.over) if not is_over]
        return [row for row in live if not self.matchers[row].consume_token(tokens[row])]

    def forced(self, end: int | None) -> list[int] | None:
        """The one token that each live row must have next; None if a row has a choice or all have ended.

        Args:
            end: what must follow a text that is complete and cannot be continued; None where nothing must.
        """
        found = [0] * len(self.matchers)
        for row, is_over in enumerate(self.over):
            if is_over:
                continue
            if end is not None and self.matchers[row].is_stopped():
                found[row] = end
            elif tokens := self.matchers[row].compute_ff_tokens():
                found[row] = tokens[0]
            else:
                return None
        return None if all(self.over) else found

    @property
    def complete(self) -> list[bool]:
        """Whether each row, as it is, satisfies the grammar: those that have left, then those that are here."""
        return [*self._left, *(matcher.is_accepting() for matcher in self.matchers)]


@final
class Again(LogitsProcessor):
    """A guide for the second time in the same list."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return self._guide(input_ids, scores)
