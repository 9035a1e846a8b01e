"""Drafts from the text itself: what followed the last time that its last tokens stood there. Before an answer stands
what an encoder has read for it, since summaries repeat their text.

https://github.com/apoorvumang/prompt-lookup-decoding. A draft may run on into itself, as in Lempel-Ziv compression, so
that a text that repeats a short phrase is drafted at full length too.
"""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from modelry.generation.session import Session
from modelry_speculative.drafts import Drafter, Drafts


@final
class PromptLookup(Drafter):
    """Looks the last tokens of a row up in the row, the longest run first, and the latest place of several.

    Args:
        ngram: tokens to search for, at most.
    """

    def __init__(self, session: Session, *, ngram: int) -> None:
        self._session, self._ngram = session, ngram
        self._texts: list[_Text] = []

    def start(self, copies: int) -> None:
        ids = self._session.ids.tolist()
        sources = self._session.sources()
        self._texts = [_Text([*source, *row], self._ngram) for source, row in zip(sources, ids, strict=True)]

    def propose(self, live: Sequence[bool], most: int) -> Drafts:
        return Drafts(
            [text.continued(most) if goes_on else [] for text, goes_on in zip(self._texts, live, strict=True)]
        )

    def settle(self, grown: Sequence[Sequence[int]]) -> None:
        for text, tokens in zip(self._texts, grown, strict=True):
            text.extend(tokens)

    def keep(self, rows: Tensor) -> None:
        self._texts = [self._texts[row] for row in rows.tolist()]


class _Text:
    """One row, with an index of what followed every run of up to `ngram` tokens."""

    def __init__(self, tokens: Sequence[int], ngram: int) -> None:
        self._tokens: list[int] = []
        self._sizes = range(ngram, 0, -1)
        self._behind: dict[tuple[int, ...], int] = {}
        """A run of tokens to the place behind its latest occurrence."""
        self.extend(tokens)

    def extend(self, tokens: Sequence[int]) -> None:
        """Add tokens; a run enters the index when something stands behind it."""
        text = self._tokens
        for token in tokens:
            place = len(text)
            for size in self._sizes:
                if size <= place:
                    self._behind[tuple(text[place - size :])] = place
            text.append(token)

    def continued(self, most: int) -> list[int]:
        """What followed the last tokens the last time; nothing where none of them was there before."""
        text, length = self._tokens, len(self._tokens)
        for size in self._sizes:
            place = self._behind.get(tuple(text[length - size :])) if size < length else None
            if place is not None:
                again = length - place  # from here on the draft repeats itself
                return [text[place + step % again] for step in range(most)]
        return []
