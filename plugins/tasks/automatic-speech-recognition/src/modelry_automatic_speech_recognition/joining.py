"""Windows that overlap, joined where both of them heard the same words at the same time.

N tokens of a window
"""

from collections.abc import Callable, Sequence
from difflib import Match
from itertools import groupby
from typing import NamedTuple

LEAST = 2
"""Tokens in a row that two windows must share to be joined there."""
AMBIGUOUS = 0.5
"""Runs of this share of the longest one's tokens may be the right one."""
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
        left, right = found[len(found) - tail :], window.tokens[:head]
        run = _common_run(
            [key(token.number) for token in left],
            [key(token.number) for token in right],
            _seconds(left) if timed else _places(len(last.tokens), last.after, first=1 - last.after)[-tail:],
            _seconds(right) if timed else _places(len(window.tokens), window.before, first=0.0)[:head],
        )
        if run is not None:
            half = run.size // 2
            found = _together(found[: len(found) - tail + run.a + half], window.tokens[run.b + half :])
        elif timed:
            earlier = [token for token in found if token.begin < window.border]
            found = earlier + [token for token in window.tokens if token.begin >= window.border]
        else:
            found += window.tokens
    return found


def _common_run(
    left: Sequence[str], right: Sequence[str], left_at: Sequence[float], right_at: Sequence[float]
) -> Match | None:
    """What both windows heard: the longest run of keys they share. Where somebody says the same again and again there
    are several, of which the one is taken that was said at the same time in both.

    Args:
        left_at, right_at: when each key was said.
    """
    runs = []
    lengths: list[int] = [0] * len(right)  # of the run that ends at this pair
    for a, one in enumerate(left):
        before = [0, *lengths]
        lengths = [before[b] + 1 if one == other else 0 for b, other in enumerate(right)]
        for b, size in enumerate(lengths):
            ends = a + 1 == len(left) or b + 1 == len(right) or left[a + 1] != right[b + 1]
            if ends and size >= LEAST:
                runs.append(Match(a + 1 - size, b + 1 - size, size))
    longest = max((run.size for run in runs), default=0)

    def apart(run: Match) -> float:
        return abs(sum(left_at[run.a + step] - right_at[run.b + step] for step in range(run.size))) / run.size

    return min((run for run in runs if run.size >= AMBIGUOUS * longest), key=apart, default=None)


def _seconds(tokens: Sequence[Token]) -> list[float]:
    """When each is said; of those that only know their piece, one behind the other."""
    found: list[float] = []
    for _, group in groupby(tokens, key=lambda token: (token.begin, token.end)):
        alike = list(group)
        begin, end = alike[0].begin, alike[0].end
        found += [begin + (end - begin) * (place + 0.5) / len(alike) for place in range(len(alike))]
    return found


def _places(count: int, share: float, *, first: float) -> list[float]:
    """Where in an overlap each token of a window is, from 0 to 1, if all take the same time."""
    return [((place + 0.5) / count - first) / (share or 1.0) for place in range(count)]


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
