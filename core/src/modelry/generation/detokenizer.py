"""Ids to text, a token at a time, whole characters only. No torch here."""

from collections.abc import Sequence
from typing import Any

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer makes of half a character."""

MEMORY = 8
"""Tokens before the new ones that are decoded with them, so that the spaces between come out as in the whole text."""


class Detokenizer:
    """Adds ids and gives back the text that is certain. The time for a token does not grow with the text.

    Args:
        tokenizer: has `decode`.
        decode_kwargs: for `decode`.
    """

    def __init__(self, tokenizer: Any, **decode_kwargs: Any) -> None:
        self._tokenizer, self._options = tokenizer, decode_kwargs
        self._ids: list[int] = []
        self._shown = 0
        """Of `_ids`, how many have been given back as text."""

    def follow(self, ids: Sequence[int]) -> None:
        """The text goes on after these ids, which are not shown."""
        self._ids = list(ids[-MEMORY:])
        self._shown = len(self._ids)

    def add(self, ids: Sequence[int]) -> str:
        """Take new ids; returns the text that they complete, "" while a character is unfinished."""
        self._ids.extend(ids)
        new = self._new_text()
        if not new or new.endswith(UNFINISHED):
            return ""
        self._shown = len(self._ids)
        surplus = self._shown - MEMORY
        if surplus > 0:
            del self._ids[:surplus]
            self._shown -= surplus
        return new

    def rest(self) -> str:
        """The text held back, half characters included; the next id begins a new text."""
        new = self._new_text()
        self._ids, self._shown = [], 0
        return new

    def _new_text(self) -> str:
        before = self._decode(self._ids[: self._shown])
        text = self._decode(self._ids)
        return text[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, **self._options) if ids else ""
        return text
