"""Rows of text with drafts behind them: logits processors want rows of one length, and these are of several.

R rows   C columns   K drafted tokens   V vocabulary
"""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from modelry.generation.session import Session


def lengths_of(session: Session) -> list[int]:
    """Tokens of each row, prompt included."""
    return [session.row_ids(row).shape[1] for row in range(session.rows)]


def on_device(values: object, session: Session) -> Tensor:
    """Numbers of the host as a tensor beside the session's."""
    return torch.tensor(values, device=session.ids.device)


@final
class DraftedTexts:
    """The session's rows, with room for K drafted tokens behind each."""

    def __init__(self, session: Session, lengths: Sequence[int], room: int) -> None:
        self._session, self._lengths = session, lengths
        self._ends = on_device(lengths, session)[:, None]  # (R, 1)
        self._text = torch.nn.functional.pad(session.ids, (0, room))  # (R, C)

    def place(self, tokens: Tensor, offset: int = 0) -> None:
        """Write tokens (R, n) behind the first `offset` drafts of each row."""
        columns = self._ends + torch.arange(offset, offset + tokens.shape[1], device=tokens.device)
        self._text.scatter_(1, columns, tokens)

    def scores(self, logits: Tensor, length: int, rows: Sequence[int]) -> Tensor:
        """Apply the processors to logits (R, V) that follow the first `length` tokens of some rows; the others mean
        nothing. These see one of the rows' text, so that no processor is shown a text that nobody would write.
        """
        ids = self._text[:, :length]
        if len(rows) < self._session.rows:
            shown = [row if row in rows else rows[0] for row in range(self._session.rows)]
            ids = ids[on_device(shown, self._session)]
        return self._session.scores(logits, ids=ids)

    def scores_after(self, logits: Tensor, drafted: int, rows: Sequence[int]) -> Tensor:
        """Apply the processors to logits (R, V) that follow `drafted` drafts of some rows; the others mean nothing."""
        found: Tensor | None = None
        for length in sorted({self._lengths[row] for row in rows}):
            members = [row for row in rows if self._lengths[row] == length]
            scores = self.scores(logits, length + drafted, members)
            if found is None:
                found = scores
            else:
                found = torch.where(
                    on_device([[row in members] for row in range(len(logits))], self._session), scores, found
                )
        assert found is not None
        return found
