"""From the scores of first and last tokens to answers: pure functions.

T tokens of a window
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """An answer: where it begins and ends, in characters or words, as the task has it."""

    score: float
    start: int
    end: int


def probabilities(logits: Tensor, allowed: Tensor) -> Tensor:
    """(T,) logits to probabilities over the tokens that are allowed, (T,) bool; 0 elsewhere."""
    return logits.float().masked_fill(~allowed, float("-inf")).softmax(-1)


def best_spans(starts: Tensor, ends: Tensor, *, longest: int) -> Iterator[tuple[float, int, int]]:
    """The spans in the order of the product of both probabilities, those of 0 left out.

    Args:
        starts: (T,) probability that a token is the first of the answer.
        ends: (T,) probability that it is the last.
        longest: tokens of an answer.

    Yields:
        (score, first token, last token), the best first.
    """
    length = len(starts)
    last = torch.arange(length)[:, None] + torch.arange(min(longest, length))  # (T, longest), numbers of last tokens
    scores = starts[:, None] * ends[last.clamp(max=length - 1)] * (last < length)
    values, places = scores.flatten().sort(descending=True)
    width = scores.shape[1]
    for value, place in zip(values, places, strict=True):
        if not value > 0:
            return
        first, more = divmod(int(place), width)
        yield float(value), first, first + more


def ranked(spans: Iterable[Span], count: int) -> list[Span]:
    """The best answers; one that several windows found counts once, with its best score."""
    best: dict[tuple[int, int], Span] = {}
    for span in spans:
        held = best.get((span.start, span.end))
        if held is None or span.score > held.score:
            best[span.start, span.end] = span
    return sorted(best.values(), key=lambda span: -span.score)[:count]
