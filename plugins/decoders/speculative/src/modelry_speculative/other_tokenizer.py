"""Drafts of a model with another tokenizer, by way of the text (Timor et al. 2025, https://arxiv.org/abs/2502.05202).

The text is encoded for the draft model, continued by its most likely tokens, and what it adds is encoded again for the
session's model. Whatever goes wrong on the way costs a rejected draft and nothing else.
"""

from collections.abc import Sequence
from typing import Any, final

import torch

from modelry.errors import GenerationError
from modelry.generation.choosing import likeliest
from modelry.generation.prompt import context_length
from modelry.generation.session import Session
from modelry_speculative.drafts import Drafter, Drafts


@final
class OtherTokenizer(Drafter):
    """Runs a draft model for each row, since rows of one length in one tokenizer differ in another.

    Args:
        tokenizer: the session's.
        assistant_tokenizer: the draft model's.
        lookbehind: tokens before the draft that are encoded again with it, so that it begins as it would in the text.

    Raises:
        GenerationError: the draft model is an encoder-decoder, or cannot forget a rejected draft.
    """

    def __init__(
        self, session: Session, model: Any, *, tokenizer: Any, assistant_tokenizer: Any, lookbehind: int
    ) -> None:
        self._session, self._model, self._lookbehind = session, model, lookbehind
        self._own, self._other = tokenizer, assistant_tokenizer
        self._context = context_length(model.config)
        self._ahead: list[_Ahead] = []
        if not session.companion(model, torch.zeros(1, 1, dtype=torch.long)).can_rollback:
            raise GenerationError(f"{type(model).__name__} cannot forget a rejected draft: take another draft model")

    def start(self, copies: int) -> None:
        self._ahead = [_Ahead(self._session, self._model) for _ in range(self._session.rows)]

    def propose(self, live: Sequence[bool], most: int) -> Drafts:
        return Drafts([self._draft(row, most) if goes_on else [] for row, goes_on in enumerate(live)])

    def settle(self, grown: Sequence[Sequence[int]]) -> None:
        """Nothing to do: the next draft begins by comparing the whole text with what the draft model has read."""

    def keep(self, rows: torch.Tensor) -> None:
        self._ahead = [self._ahead[row] for row in rows.tolist()]

    def _draft(self, row: int, most: int) -> list[int]:
        ids = self._session.row_ids(row)[0].tolist()
        text: list[int] = self._other.encode(_decoded(self._own, ids))
        if self._context is not None:
            most = min(most, self._context - len(text))
        if not text or most < 1:
            return []
        drafted = self._ahead[row].continued(text, most)
        before, after = _decoded(self._other, text), _decoded(self._other, text + drafted)
        if not after.startswith(before):
            return []
        tail = _decoded(self._own, ids[-self._lookbehind :])
        known = self._encoded(tail)
        whole = self._encoded(tail + after[len(before) :])
        if whole[: len(known)] != known:  # the draft's first letters would join the last token, which is settled
            return self._encoded(after[len(before) :])[:most]
        return whole[len(known) :][:most]

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = self._own.encode(text, add_special_tokens=False)
        return ids


def _decoded(tokenizer: Any, ids: list[int]) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


class _Ahead:
    """The draft model behind one row, and the tokens it remembers."""

    def __init__(self, session: Session, model: Any) -> None:
        self._session, self._model = session, model
        self._side: Session | None = None
        self._read: list[int] = []

    def continued(self, text: list[int], most: int) -> list[int]:
        """The `most` likeliest tokens, one after the other, that follow a text; of it, only what is new is read."""
        if self._side is None:
            self._side = self._session.companion(self._model, torch.tensor([text]))
            logits = self._side.start()
        else:
            same = 0
            while same < min(len(text) - 1, len(self._read)) and text[same] == self._read[same]:
                same += 1
            self._side.rollback(len(self._read) - same)
            logits = self._step(text[same:])
        drafted = [int(likeliest(logits[:, -1]))]
        while len(drafted) < most:
            drafted.append(int(likeliest(self._step(drafted[-1:])[:, -1])))
        self._read = text + drafted[:-1]
        return drafted

    def _step(self, ids: list[int]) -> torch.Tensor:
        assert self._side is not None
        return self._side.step(torch.tensor([ids], device=self._side.ids.device))
