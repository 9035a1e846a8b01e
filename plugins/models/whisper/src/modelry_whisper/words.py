"""Tokens of a text put together to words, with their punctuation.

T tokens
"""

import string
from collections.abc import Callable, Sequence
from typing import NamedTuple

from modelry_whisper.languages import CODES

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages that write no spaces between words: each character there is one."""
OPENING = "\"'“¡¿([{-"
CLOSING = "\"'.。,，!！?？:：”)]}、"
BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What the bytes of half a character are read as."""


class Word(NamedTuple):
    """A word, and the places of its tokens."""

    text: str
    places: list[int]


def words_of(
    tokens: Sequence[int], decode: Callable[[list[int]], str], *, end: int, language: str | None = None
) -> list[Word]:
    """The words of a text.

    Args:
        tokens: (T,) without time stamps.
        decode: tokens to text.
        end: the token that ends a text: this one and those behind it are words of their own.
        language: name or code; in some a word is a character.
    """
    pieces = _characters(tokens, decode)
    named = "" if language is None else language.lower().strip("<|>")
    if CODES.get(named, named) not in UNSPACED:
        pieces = _joined(pieces, tokens, end)
    return _with_punctuation(pieces)


def _characters(tokens: Sequence[int], decode: Callable[[list[int]], str]) -> list[Word]:
    """The shortest runs of tokens that are whole characters."""
    whole, found, done = decode(list(tokens)), [], 0
    begin = 0
    for place in range(len(tokens)):
        text = decode(list(tokens[begin : place + 1]))
        broken = text.find(BROKEN)
        at = done + broken
        if broken < 0 or at >= len(whole) or whole[at] == BROKEN:  # what is broken in the whole, too, stays so
            found.append(Word(text, list(range(begin, place + 1))))
            begin, done = place + 1, done + len(text)
    return found


def _joined(pieces: list[Word], tokens: Sequence[int], end: int) -> list[Word]:
    """Pieces put behind the one before them, where they do not begin a word."""
    found: list[Word] = []
    for text, places in pieces:
        alone = tokens[places[0]] >= end or text.startswith(" ") or text.strip() in string.punctuation
        if alone or not found:
            found.append(Word(text, places))
        else:
            found[-1] = Word(found[-1].text + text, found[-1].places + places)
    return found


def _with_punctuation(words: list[Word]) -> list[Word]:
    """Opening marks go with the word behind them, closing ones with that before them."""
    opened: list[Word] = []
    for word in reversed(words):
        mark = word.text.startswith(" ") and word.text.strip() in OPENING
        if mark and opened:
            follower = opened.pop()
            word = Word(word.text + follower.text, word.places + follower.places)
        opened.append(word)
    closed: list[Word] = []
    for word in reversed(opened):
        if closed and word.text in CLOSING and not closed[-1].text.endswith(" "):
            closed[-1] = Word(closed[-1].text + word.text, closed[-1].places + word.places)
        else:
            closed.append(word)
    return closed
