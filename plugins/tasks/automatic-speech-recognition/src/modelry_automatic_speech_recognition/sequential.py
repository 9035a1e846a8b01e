"""A sound longer than a model's window, heard from one time stamp to the next.

Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 3.8.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Written(NamedTuple):
    """What a model writes of one window."""

    tokens: list[int]
    """Time stamps among them, without the end."""
    ends: Sequence[float] | None = None
    """Seconds at which each token ends; None where nobody asked."""
    temperature: float | None = None
    """By which it was sampled, where several were tried."""
    language: str | None = None
    """Its name, where somebody asked."""


class Segment(NamedTuple):
    """Tokens between two time stamps."""

    begin: float
    """Seconds."""
    end: float
    tokens: list[int]
    times: list[tuple[float, float]] = []  # noqa: RUF012 - never changed; most segments have none
    """Begin and end of each token, in seconds; none where nobody asked."""
    language: str | None = None
    """Its name, where somebody asked."""

    def later(self, seconds: float) -> "Segment":
        """The same at another time."""
        times = [(begin + seconds, end + seconds) for begin, end in self.times]
        return Segment(self.begin + seconds, self.end + seconds, self.tokens, times, self.language)


class Heard(NamedTuple):
    """What is taken of one window."""

    segments: list[Segment]
    done: float
    """Seconds that are not heard again."""
    used: int
    """Tokens, from the first, that belong to them."""


def segments_of(written: Written, *, first: int, step: float, length: float, whole: bool) -> Heard:
    """What a window's tokens say, and up to where they can be trusted.

    Words behind the last complete pair of time stamps may be cut by the window's end: they are left out, and heard
    again. Where no pair is complete, the window is one segment.

    Args:
        first: the token of 0.00 seconds.
        step: seconds from one time stamp to the next.
        length: of the window, in seconds.
        whole: it is the last one: nothing is heard again.
    """
    tokens = written.tokens
    found: list[Segment] = []
    words: list[int] = []  # places of the tokens since the last time stamp
    begin, closed = 0.0, 0

    def segment(end: float) -> Segment:
        ends = written.ends
        times = [] if ends is None else [(ends[place - 1] if place else 0.0, ends[place]) for place in words]
        return Segment(begin, end, [tokens[place] for place in words], times, written.language)

    for place, token in enumerate(tokens):
        if token < first:
            words.append(place)
            continue
        time = min((token - first) * step, length)
        if words:
            found.append(segment(max(begin, time)))
            closed = place + 1
        begin, words = time, []
    if words and (whole or not found):
        return Heard([*found, segment(length)], length, len(tokens))
    pending = bool(words) or (len(tokens) > 1 and tokens[-1] >= first and tokens[-2] >= first)
    done = found[-1].end if found and pending else length
    if whole or done <= 0:
        done = length
    return Heard(found, done, closed if done < length else len(tokens))


class Listening:
    """A sound of which no more than a window and a block are held at once.

    Args:
        blocks: (N,) each, one behind the other.
        window: samples that the model hears at once.
    """

    def __init__(self, blocks: Iterable[Samples], window: int) -> None:
        self._blocks, self._window = iter(blocks), window
        self._held = np.zeros(0, dtype=np.float32)
        self._fill()

    @property
    def part(self) -> Samples:
        """The next window, (N,); empty at the end."""
        return self._held[: self._window]

    @property
    def last(self) -> bool:
        """Whether nothing comes behind this window."""
        return len(self._held) <= self._window

    def go_on(self, count: int) -> None:
        """Leave so many samples behind."""
        self._held = self._held[count:]
        self._fill()

    def _fill(self) -> None:
        while self.last:
            block = next(self._blocks, None)
            if block is None:
                return
            self._held = np.concatenate((self._held, block))


class History:
    """The text so far, which the next window may go on from.

    Args:
        begun: tokens that go before all.
        most: tokens that a window is told, at most.
    """

    SURE = 0.5
    """What was sampled at this temperature or above may be wrong, and would make what follows wrong."""

    def __init__(self, begun: Sequence[int], most: int) -> None:
        self._tokens, self._most = list(begun), most

    @property
    def tokens(self) -> list[int]:
        """The last of them."""
        return self._tokens[-self._most :]

    def add(self, written: Written, used: int) -> None:
        """Remember what is taken of a window; nothing of it or of what was before, where it is not sure."""
        if written.temperature is not None and written.temperature >= self.SURE:
            self._tokens = []
        else:
            self._tokens += written.tokens[:used]


def transcribed(
    sound: Listening,
    write: Callable[[Samples, list[int]], Written],
    *,
    rate: int,
    first: int,
    step: float,
    history: History | None = None,
    went_on: Callable[[float], object] = lambda seconds: None,
) -> list[Segment]:
    """All segments of a sound, in its own seconds.

    Args:
        write: a window's samples and the text before it -> its tokens, time stamps among them.
        rate: Hz.
        first, step: see `segments_of`.
        history: tells each window what was said before it.
        went_on: is told the seconds of each step.
    """
    at, found = 0, []
    while len(sound.part):
        length, whole = len(sound.part) / rate, sound.last
        written = write(sound.part, [] if history is None else history.tokens)
        heard = segments_of(written, first=first, step=step, length=length, whole=whole)
        if history is not None:
            history.add(written, heard.used)
        found += [one.later(at / rate) for one in heard.segments]
        count = max(1, round(heard.done * rate))
        sound.go_on(count)
        went_on(count / rate)
        at += count
    return found
