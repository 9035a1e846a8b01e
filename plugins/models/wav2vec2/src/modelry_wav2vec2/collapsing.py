"""From one token a frame to text: repetitions are one token, blanks are none, and a delimiter ends a word.

Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf, section 3.1.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple


class Stretch(NamedTuple):
    """A token and the frames in which it is said."""

    token: str
    start: int
    end: int


def stretches(tokens: Iterable[str], *, group: bool) -> list[Stretch]:
    """Runs of equal tokens; each token by itself where they are not grouped."""
    found, at = [], 0
    for token, run in groupby(tokens) if group else ((token, (token,)) for token in tokens):
        count = len(list(run))
        found.append(Stretch(token, at, at + count))
        at += count
    return found


def characters(found: Sequence[Stretch], *, blank: str | None, delimiter: str | None, space: str) -> list[Stretch]:
    """Without blanks, delimiters as spaces."""
    said = (one for one in found if one.token != blank)
    return [one._replace(token=space) if one.token == delimiter else one for one in said]


def char_offsets(found: Sequence[Stretch]) -> list[dict[str, Any]]:
    """As the ecosystem writes them; in frames."""
    return [{"char": token, "start_offset": start, "end_offset": end} for token, start, end in found]


def word_offsets(found: Sequence[Stretch], *, space: str) -> list[dict[str, Any]]:
    """The words between spaces, from the first frame of each to its last; in frames."""
    words = []
    for between, run in groupby(found, key=lambda one: one.token == space):
        if not between:
            said = list(run)
            word = "".join(one.token for one in said)
            words.append({"word": word, "start_offset": said[0].start, "end_offset": said[-1].end})
    return words
