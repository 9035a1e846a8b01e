"""Token ids to text while they are generated: whole characters only, and nothing that may become a stop string."""

from collections.abc import Iterable, Sequence
from typing import Any

_BROKEN = "\N{REPLACEMENT CHARACTER}"
_UNFINISHED = 3
"""Of a character that is being written, at most three of four bytes are there; each may show as one _BROKEN."""
_LONGEST_WINDOW = 32
"""Tokens; only bytes that never become text make a window this long."""
_CONTEXT = 8
"""Tokens of a prompt that is not shown, but read with what follows it."""


class Detokenizer:
    """Gives out the text of one row, token by token, in constant time a token.

    What `push` and `flush` return, put together, is `tokenizer.decode` of all ids (without its clean-up of spaces) up
    to the first stop string; bytes that are no text become U+FFFD. Ids are decoded in a window that begins one finished
    piece before the new one, because how a token reads (with a space or not) depends on the token before it.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        skip_special_tokens: bool = False,
        stop_strings: Sequence[str] = (),
        **decode_kwargs: Any,
    ) -> None:
        """
        Args:
            tokenizer: what the ids are of; has `decode`, and `added_tokens_decoder` where special tokens are skipped.
            skip_special_tokens: leave special tokens out of the text.
            stop_strings: the text ends before the first of these.
            decode_kwargs: for `decode`.
        """
        self._tokenizer, self._options = tokenizer, {"clean_up_tokenization_spaces": False, **decode_kwargs}
        self._skipped = (
            {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
            if skip_special_tokens
            else set()
        )
        self._stops = tuple(stop for stop in stop_strings if stop)
        self._window: list[int] = []
        self._old = 0
        """How many ids of the window belong to the finished piece before."""
        self._given = 0
        """How many characters of the window's text have been given out."""
        self._held = ""
        """The end of the text, when a stop string may begin there."""
        self.stopped: str | None = None
        """The stop string that was found."""

    def follow(self, ids: Sequence[int]) -> None:
        """The text goes on after these ids, which are not shown."""
        self._window = [int(token) for token in ids if int(token) not in self._skipped][-_CONTEXT:]
        self._old = len(self._window)
        self._given = _certain(self._decode(self._window))

    def push(self, ids: int | Iterable[int]) -> str:
        """Take the next id or ids; returns the text that is certain now, often ''."""
        new = "".join(map(self._piece, (ids,) if isinstance(ids, int) else ids))
        return self._before_stop(new) if new else ""

    def flush(self) -> str:
        """The end: returns what was held back, broken characters as U+FFFD."""
        if self.stopped is not None:
            return ""
        text = self._before_stop(self._decode(self._window)[self._given :])
        text, self._held = text + self._held, ""
        self._window, self._old, self._given = [], 0, 0
        return text

    def _piece(self, token: int) -> str:
        """The characters that are certain with this token."""
        token = int(token)
        if token in self._skipped:
            return ""
        self._window.append(token)
        text = self._decode(self._window)
        certain = _certain(text)
        new = text[self._given : certain]
        self._given = max(self._given, certain)
        if certain < len(text) and len(self._window) < _LONGEST_WINDOW:
            return new
        if new or len(self._window) >= _LONGEST_WINDOW:
            self._window = self._window[max(self._old, len(self._window) - _LONGEST_WINDOW // 2) :]
            self._old = len(self._window)
            self._given = _certain(self._decode(self._window))
        return new

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, **self._options) if ids else ""
        return text

    def _before_stop(self, new: str) -> str:
        """Add text to what is held; returns what cannot be a part of a stop string."""
        if self.stopped is not None:
            return ""
        text = self._held + new
        places = [(text.find(stop), stop) for stop in self._stops]
        found = min(((place, -len(stop), stop) for place, stop in places if place >= 0), default=None)
        if found is not None:
            self.stopped, self._held = found[2], ""
            return text[: found[0]]
        longest = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - longest :]
        return text[: len(text) - longest]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def _certain(text: str) -> int:
    """How many characters stay as they are, whatever bytes come next."""
    end = len(text)
    while end and len(text) - end < _UNFINISHED and text[end - 1] == _BROKEN:
        end -= 1
    return end
