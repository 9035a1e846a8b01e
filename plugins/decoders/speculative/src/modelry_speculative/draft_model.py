"""Drafts of another model that has the same tokenizer, token by token.

The draft model remembers all of a row but its last two tokens; it reads these together, which costs hardly more than
one and holds whether the whole draft was accepted or none of it.

R rows   K drafted tokens   V vocabulary
"""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from modelry.generation.choosing import draw, likeliest
from modelry.generation.prompt import context_length
from modelry.generation.session import Session
from modelry_speculative.drafts import Drafter, Drafts
from modelry_speculative.texts import DraftedTexts, lengths_of, on_device


@final
class DraftModel(Drafter):
    """Runs a smaller model ahead of the session's. The session's logits processors act on its drafts as well.

    Args:
        model: the draft model; its ids are the session's.
        sampled: draw the drafts; else take the most likely tokens.
        threshold: a row's draft ends with the first token less probable than this; looking costs one copy from the
            device for each token, so at 0 nobody looks.
    """

    def __init__(self, session: Session, model: Any, *, sampled: bool, threshold: float) -> None:
        self._session, self._sampled, self._threshold = session, sampled, threshold
        self._side = session.companion(model)
        # Rows of a model with an encoder forget equally many positions.
        self._together: bool = session.model.config.is_encoder_decoder
        self._context = context_length(model.config, answer=self._together)
        self._ahead = 0
        """Tokens drafted in this round, of the longest row."""
        self._fresh = True

    @property
    def can_rollback(self) -> bool:
        """Whether the draft model can forget a rejected draft."""
        return self._side.can_rollback

    def start(self, copies: int) -> None:
        self._side.start(copies)

    def propose(self, live: Sequence[bool], most: int) -> Drafts:
        session, lengths = self._session, lengths_of(self._session)
        if self._context is not None:
            most = min(most, self._context - max(lengths))
        if most < 1:
            return Drafts([[] for _ in live])
        texts = DraftedTexts(session, lengths, most)
        rows = [row for row, goes_on in enumerate(live) if goes_on]
        counts = [0] * len(live)
        drafted: list[Tensor] = []
        shares: list[Tensor] = []
        unread = self._unread(lengths)
        for offset in range(most):
            logits = self._side.step(unread.to(self._side.ids.device))[:, -1].to(session.ids.device)  # (R, V)
            scores = texts.scores_after(logits, offset, rows) if session.settings.processors else logits
            chosen = draw(scores, at=session.random()) if self._sampled else likeliest(scores)
            chances = scores.softmax(dim=-1, dtype=torch.float32) if self._sampled or self._threshold else None
            unread = chosen[:, None]
            drafted.append(unread)
            if chances is not None and self._sampled:
                shares.append(chances)
            for row in rows:
                counts[row] += 1
            if chances is not None and self._threshold:
                # A draft that is unlikely is still offered: left out, those offered would be a biased choice.
                sure = chances.gather(1, unread)[:, 0].tolist()
                rows = [row for row in rows if sure[row] >= self._threshold]
            if not rows:
                break
            texts.place(unread, offset)
        self._ahead = len(drafted)
        tokens = torch.cat(drafted, dim=1).tolist()
        return Drafts(
            [row[:count] for row, count in zip(tokens, counts, strict=True)],
            torch.stack(shares, dim=1) if shares else None,
        )

    def _unread(self, lengths: Sequence[int]) -> Tensor:
        """(R, 2) the last two tokens of each row, of which the first is remembered in the first round: (R, 1)."""
        if self._fresh:
            self._fresh = False
            return self._session.last[:, None]
        return self._session.ids.gather(1, on_device([[length - 2, length - 1] for length in lengths], self._session))

    def settle(self, grown: Sequence[Sequence[int]]) -> None:
        if not self._ahead:
            return
        counts = [self._ahead + 1 - len(tokens) for tokens in grown]
        if self._together:
            counts = [min(counts)] * len(counts)
        self._side.rollback(counts[0] if len(set(counts)) == 1 else torch.tensor(counts))
        self._ahead = 0

    def keep(self, rows: Tensor) -> None:
        self._side.keep(rows.to(self._side.ids.device))
