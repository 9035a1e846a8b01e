"""Pieces of text with their times as subtitles: SubRip and WebVTT."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

LONGEST_LINE = 42
"""Characters of a subtitle made of single words, as broadcasters have it."""
LONGEST_TIME = 6.0
PAUSE = 1.0
"""Seconds of silence that end a subtitle."""


def to_srt(chunks: Sequence[Mapping[str, Any]]) -> str:
    """SubRip: numbered, with a comma before the thousandths."""
    cues = (
        f"{number}\n{_time(begin, ',')} --> {_time(end, ',')}\n{text}\n"
        for number, (text, begin, end) in enumerate(lines(chunks), start=1)
    )
    return "\n".join(cues)


def to_vtt(chunks: Sequence[Mapping[str, Any]]) -> str:
    """WebVTT, https://www.w3.org/TR/webvtt1/."""
    cues = (f"{_time(begin, '.')} --> {_time(end, '.')}\n{_escaped(text)}\n" for text, begin, end in lines(chunks))
    return "\n".join(["WEBVTT\n", *cues])


def lines(chunks: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float, float]]:
    """Text, begin and end of each subtitle: a piece of several words is one, single words are put together."""
    words: list[str] = []
    begin = end = 0.0
    for chunk in chunks:
        text, (start, stop) = str(chunk["text"]).strip(), chunk["timestamp"]
        full = len(" ".join([*words, text])) > LONGEST_LINE or stop - begin > LONGEST_TIME or start - end > PAUSE
        if words and (full or " " in text):
            yield " ".join(words), begin, end
            words = []
        if " " in text:
            yield text, start, stop
            continue
        if text:
            begin = begin if words else start
            words.append(text)
            end = stop
    if words:
        yield " ".join(words), begin, end


def _time(seconds: float, mark: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
