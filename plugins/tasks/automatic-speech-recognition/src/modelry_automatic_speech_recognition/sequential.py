"""A sound longer than a model's window, heard from one time stamp to the next.

Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 3.8.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Segment(NamedTuple):
    """Tokens between two time stamps."""

    begin: float
    """Seconds."""
    end: float
    tokens: list[int]


def segments_of(
    tokens: Sequence[int], *, first: int, step: float, length: float, whole: bool
) -> tuple[list[Segment], float]:
    """What a window's tokens say, and up to where they can be trusted.

    Words behind the last complete pair of time stamps may be cut by the window's end: they are left out, and heard
    again. Where no pair is complete, the window is one segment.

    Args:
        first: the token of 0.00 seconds.
        step: seconds from one time stamp to the next.
        length: of the window, in seconds.
        whole: it is the last one: nothing is heard again.

    Returns:
        The segments, and the seconds that are done.
    """
    found: list[Segment] = []
    begin, words = 0.0, []
    for token in tokens:
        if token < first:
            words.append(token)
            continue
        time = min((token - first) * step, length)
        if words:
            found.append(Segment(begin, max(begin, time), words))
        begin, words = time, []
    if words and (whole or not found):
        found.append(Segment(begin, length, words))
        return found, length
    pending = bool(words) or (len(tokens) > 1 and tokens[-1] >= first and tokens[-2] >= first)
    done = found[-1].end if found and pending else length
    return found, length if whole or done <= 0 else done


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


def transcribed(
    sound: Listening, write: Callable[[Samples], Sequence[int]], *, rate: int, first: int, step: float
) -> list[Segment]:
    """All segments of a sound, in its own seconds.

    Args:
        write: a window's samples -> its tokens, time stamps among them.
        rate: Hz.
        first, step: see `segments_of`.
    """
    at, found = 0, []
    while len(sound.part):
        length, whole = len(sound.part) / rate, sound.last
        segments, done = segments_of(write(sound.part), first=first, step=step, length=length, whole=whole)
        found += [Segment(one.begin + at / rate, one.end + at / rate, one.tokens) for one in segments]
        count = max(1, round(done * rate))
        sound.go_on(count)
        at += count
    return found


def as_chunk(text: str, begin: float, end: float) -> dict[str, Any]:
    """A piece of text as the ecosystem writes it."""
    return {"text": text, "timestamp": (round(begin, 2), round(end, 2))}
