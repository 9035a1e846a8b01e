"""Writing again, at a higher temperature, what looks wrong: it repeats itself, or the model was not sure of it.

Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 4.5.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from torch import Tensor

from modelry.errors import GenerationError


@dataclass(frozen=True)
class Thresholds:
    """When an answer is not believed. None: never for this reason."""

    temperatures: tuple[float | None, ...] = (None,)
    """Tried one after the other; None: as the other options say."""
    compression_ratio: float | None = None
    """More than this: the text repeats itself."""
    logprob: float | None = None
    """A mean log-probability of a token below this: the model guesses."""
    no_speech: float | None = None
    """A probability of silence above this, where the model guesses: nothing is said."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From what the call and generation_config.json say.

        Raises:
            GenerationError: a value that cannot be, or one that would do nothing.
        """
        given = values.get("temperature")
        several = given if isinstance(given, list | tuple) else (given,)
        if not several or any(one is not None and not (isinstance(one, int | float) and one >= 0) for one in several):
            raise GenerationError(f"temperature is {given!r}: a number of at least 0, or several of them, are needed")
        numbers = {}
        for name in ("compression_ratio", "logprob", "no_speech"):
            number = values.get(f"{name}_threshold")
            if number is not None and not isinstance(number, int | float):
                raise GenerationError(f"{name}_threshold is {number!r}: a number is needed, or None")
            numbers[name] = number
        if numbers["no_speech"] is not None and numbers["logprob"] is None:
            raise GenerationError(
                "no_speech_threshold acts only where the model guesses, which logprob_threshold decides: give both"
            )
        return cls(tuple(several), **numbers)

    @property
    def judge(self) -> bool:
        """Whether any answer is looked at."""
        return self.compression_ratio is not None or self.logprob is not None

    def doubt(self, ratio: float, logprob: float) -> bool:
        """Whether an answer is to be written again."""
        repeats = self.compression_ratio is not None and ratio > self.compression_ratio
        return repeats or (self.logprob is not None and logprob < self.logprob)

    def silence(self, logprob: float, silence: float) -> bool:
        """Whether nothing is said at all."""
        return (
            self.no_speech is not None
            and self.logprob is not None
            and logprob < self.logprob
            and silence > self.no_speech
        )


def sampling(temperature: float | None) -> dict[str, Any]:
    """Options of generate for a temperature: 0 takes the likeliest, as many beams as there may be look for it."""
    if temperature is None:
        return {}
    return {"do_sample": True, "temperature": temperature, "num_beams": 1} if temperature > 0 else {"do_sample": False}


class Attempt(NamedTuple):
    """An answer, and what speaks for it."""

    tokens: list[int]
    """The end among them, where it was reached; none where nothing is said."""
    temperature: float | None
    ratio: float
    logprob: float
    """Mean of the tokens'."""


def compression_ratio(tokens: Sequence[int], vocabulary: int) -> float:
    """How much shorter tokens become, as bytes: a text that repeats itself becomes very short."""
    width = int(math.log2(vocabulary) / 8) + 1
    data = b"".join(token.to_bytes(width, "little") for token in tokens)
    return len(data) / len(zlib.compress(data))


def mean_logprob(tokens: Sequence[int], scores: Sequence[Tensor], temperature: float | None) -> float:
    """Of an answer's tokens, the end among them, by the scores (V,) that each was taken from."""
    odds = [
        float((one.float() * (temperature or 1.0)).log_softmax(-1)[token])
        for one, token in zip(scores, tokens, strict=False)
    ]
    return sum(odds) / max(len(odds), 1)


def written_until_believed(
    write: Callable[[list[int], float | None], list[Attempt]],
    thresholds: Thresholds,
    silences: Sequence[float],
) -> list[Attempt]:
    """One answer for each row.

    Args:
        write: rows and a temperature to their answers.
        silences: each row's probability that nothing is said.
    """
    rows, found = list(range(len(silences))), {}
    for temperature in thresholds.temperatures:
        doubtful = []
        for row, attempt in zip(rows, write(rows, temperature), strict=True):
            if thresholds.silence(attempt.logprob, silences[row]):
                found[row] = attempt._replace(tokens=[])
                continue
            found[row] = attempt
            if thresholds.doubt(attempt.ratio, attempt.logprob):
                doubtful.append(row)
        rows = doubtful
        if not rows:
            break
    return [found[row] for row in range(len(silences))]
