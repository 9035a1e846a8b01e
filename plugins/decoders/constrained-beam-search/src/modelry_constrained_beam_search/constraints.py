"""What a text must contain, as a caller says it. Plain data; no torch here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from modelry.errors import GenerationError

Phrase = tuple[int, ...]


@final
@dataclass(frozen=True, init=False)
class PhrasalConstraint:
    """The ids must come, in this order and next to each other.

    Raises:
        GenerationError: no ids, or a negative one.
    """

    token_ids: Phrase

    def __init__(self, token_ids: Iterable[int]) -> None:
        object.__setattr__(self, "token_ids", _phrase(token_ids))

    @property
    def alternatives(self) -> tuple[Phrase, ...]:
        """The phrases of which one must come."""
        return (self.token_ids,)


@final
@dataclass(frozen=True, init=False)
class DisjunctiveConstraint:
    """One of several phrases must come: forms of a word, or synonyms.

    Raises:
        GenerationError: no phrase, or one that is empty or has a negative id.
    """

    nested_token_ids: tuple[Phrase, ...]

    def __init__(self, nested_token_ids: Iterable[Iterable[int]]) -> None:
        phrases = tuple(map(_phrase, nested_token_ids))
        if not phrases:
            raise GenerationError("a DisjunctiveConstraint without a phrase cannot be met: give at least one")
        object.__setattr__(self, "nested_token_ids", phrases)

    @property
    def alternatives(self) -> tuple[Phrase, ...]:
        """The phrases of which one must come."""
        return self.nested_token_ids


Constraint = PhrasalConstraint | DisjunctiveConstraint


def _phrase(ids: Iterable[int]) -> Phrase:
    phrase = tuple(ids)
    if not phrase or not all(isinstance(one, int) and one >= 0 for one in phrase):
        raise GenerationError(f"a phrase is a list of one or more token ids, and this is none: {list(phrase)}")
    return phrase
