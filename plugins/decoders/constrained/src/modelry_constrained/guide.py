"""Which tokens may come next in each row: one matcher a row, one mask a step.

R rows   V vocabulary   W 32-bit words of a mask
"""

from typing import final

import torch
from llguidance import LLMatcher
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation import LogitsProcessor
from modelry.generation.processors import ForcedEOSTokenLogitsProcessor

_BITS = 32
_BIT = [1 << place for place in range(_BITS - 1)] + [-(1 << (_BITS - 1))]
"""Words of a mask with one bit each, as signed numbers."""


@final
class Guide(LogitsProcessor):
    """Follows the rows through the grammar, and rules out what it does not allow.

    Args:
        start: a matcher that stands at the beginning.
        rows: R.
        words: W, enough for the tokenizer's vocabulary.
        end: what follows a text that is complete and cannot be continued; None where nothing has to.
    """

    def __init__(self, start: LLMatcher, rows: int, words: int, end: int | None) -> None:
        self.matchers = [start.deep_copy() for _ in range(rows)]
        self.over = [False] * rows
        """Rows that have ended: they are followed no longer."""
        self.end = end
        self.stopped: list[int] = []
        """Rows that nothing but the end may follow."""
        self._mask = torch.full((rows, words), -1, dtype=torch.int32)  # (R, W) one bit for each token
        self._ruled_out: Tensor | None = None
        self._left: list[bool] = []

    def look(self) -> list[int] | None:
        """Ask the matchers what may come next; to be called before the scores of a step.

        Returns:
            The one token that each row must have next, of rows that have ended 0; None if a row has a choice.

        Raises:
            GenerationError: a limit of the grammar engine is reached.
        """
        size = self._mask.shape[1] * self._mask.element_size()
        forced: list[int | None] = []
        self.stopped = []
        for row, matcher in enumerate(self.matchers):
            if self.over[row]:
                self._mask[row] = -1
                forced.append(0)
                continue
            forced.append(self._forced(row))
            if forced[-1] is None:
                matcher.unsafe_compute_mask_ptr(self._mask[row].data_ptr(), size)
            else:  # other ways to write the same text are none: what is said of it depends on its tokens
                self._mask[row] = 0
                self._mask[row, forced[-1] // _BITS] = _BIT[forced[-1] % _BITS]
            if matcher.is_error():
                raise GenerationError(f"row {row} cannot go on: {matcher.get_error().splitlines()[0]}")
        self._ruled_out = None
        found = [token for token in forced if token is not None]
        return found if len(found) == len(forced) else None

    def _forced(self, row: int) -> int | None:
        if self.end is not None and self.matchers[row].is_stopped():
            self.stopped.append(row)
            return self.end
        tokens = self.matchers[row].compute_ff_tokens()
        return tokens[0] if tokens else None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._ruled_out is None:
            self._ruled_out = self._as_bools(scores)
        return scores.masked_fill(self._ruled_out, float("-inf"))

    def keep(self, rows: Tensor) -> None:
        """Go on with `rows` (R',) of the rows; of the others only stays whether they are complete."""
        order = rows.tolist()
        self._left += [one.is_accepting() for row, one in enumerate(self.matchers) if row not in order]
        self.matchers, self.over = [self.matchers[row] for row in order], [self.over[row] for row in order]
        self.stopped = [place for place, row in enumerate(order) if row in self.stopped]
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

    def may_end(self, ends: Tensor) -> Tensor:
        """(R,) bool, whether one of the end tokens (N,) may come next; after the scores were changed."""
        assert self._ruled_out is not None
        return ~self._ruled_out[:, ends].all(dim=1)

    @property
    def complete(self) -> list[bool]:
        """Whether each row, as it is, satisfies the grammar: those that have left, then those that are here."""
        return [*self._left, *(matcher.is_accepting() for matcher in self.matchers)]


@final
class Again(LogitsProcessor):
    """A guide for the second time in the same list. No other processor keeps a text from its only end."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        found = self._guide(input_ids, scores)
        for row in self._guide.stopped:
            found[row, self._guide.end] = found[row, self._guide.end].nan_to_num(neginf=0.0)
        return found


@final
class WhereItMayEnd(LogitsProcessor):
    """An end that comes with the last token there is room for, only in rows whose text is whole then."""

    def __init__(self, forced: ForcedEOSTokenLogitsProcessor, guide: Guide) -> None:
        self._forced, self._guide = forced, guide

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        ended = self._forced(input_ids, scores)
        return torch.where(self._guide.may_end(self._forced.tokens.to(scores.device))[:, None], ended, scores)
