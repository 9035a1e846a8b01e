"""Windows that overlap, joined where both of them heard the same words.

N tokens of a window
"""

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

LEAST = 2
"""Tokens in a row that two windows must share to be joined there."""
ROOM = 1.5
"""So many times the tokens that an overlap has on average are looked at."""


class Token(NamedTuple):
    """A token, and when it is said, in seconds of the sound; both 0 where nobody asked."""

    number: int
    begin: float = 0.0
    end: float = 0.0
    segment: tuple[float, float] = (0.0, 0.0)
    """Begin and end of the piece between two time stamps that it is in."""


class Window(NamedTuple):
    """What was heard in a part of a sound."""

    tokens: list[Token]
    before: float
    """Share of it that the window before heard, too."""
    after: float
    """And the one behind."""
    border: float
    """Second of the sound from which on it is this window's."""


def joined(windows: Sequence[Window], key: Callable[[int], str], *, timed: bool) -> list[Token]:
    """All tokens, those that two windows heard once.

    The overlap's first half is taken from the window before, the other from the next: each is heard with what is
    around it. Where the two have nothing in common, times decide; without them both are kept.

    Args:
        key: a token as it is compared.
        timed: whether tokens have times.
    """
    found: list[Token] = []
    for number, window in enumerate(windows):
        if not number:
            found = list(window.tokens)
            continue
        last = windows[number - 1]
        tail, head = min(_expected(last.tokens, last.after), len(found)), _expected(window.tokens, window.before)
        left = [key(token.number) for token in found[len(found) - tail :]]
        right = [key(token.number) for token in window.tokens[:head]]
        run = SequenceMatcher(None, left, right, autojunk=False).find_longest_match()
        if run.size >= LEAST:
            half = run.size // 2
            found = _together(found[: len(found) - tail + run.a + half], window.tokens[run.b + half :])
        elif timed:
            earlier = [token for token in found if token.begin < window.border]
            found = earlier + [token for token in window.tokens if token.begin >= window.border]
        else:
            found += window.tokens
    return found


def _expected(tokens: Sequence[Token], share: float) -> int:
    """How many tokens to look at."""
    return min(len(tokens), round(ROOM * share * len(tokens)) + LEAST)


def _together(left: list[Token], right: list[Token]) -> list[Token]:
    """Both, as one; two pieces that overlap where they meet were cut, and become one."""
    if not left or not right or right[0].segment[0] >= left[-1].segment[1]:
        return left + right
    first, second = left[-1].segment, right[0].segment
    piece = (first[0], max(first[1], second[1]))
    return [
        *(one._replace(segment=piece) if one.segment == first else one for one in left),
        *(one._replace(segment=piece) if one.segment == second else one for one in right),
    ]
