"""What constrained beam search reads of a GenerationConfig."""

from typing import Annotated, Self

from pydantic import Field, InstanceOf, model_validator

from modelry.generation.beams.parameters import BeamParameters
from modelry_constrained_beam_search.constraints import (
    Constraint,
    DisjunctiveConstraint,
    PhrasalConstraint,
    Phrase,
)

_Ids = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class ConstrainedBeamSearchParameters(BeamParameters):
    """At least one of `force_words_ids` and `constraints` is given."""

    strategy_name = "constrained-beam-search"

    force_words_ids: list[_Ids | Annotated[list[_Ids], Field(min_length=1)]] = Field(
        [], description="ids of a phrase that must come, or a list of phrases of which one must come, for each"
    )
    constraints: list[InstanceOf[PhrasalConstraint] | InstanceOf[DisjunctiveConstraint]] = Field(
        [], description="PhrasalConstraint or DisjunctiveConstraint each"
    )
    do_sample: bool = Field(False, description="must be False: nothing is drawn")

    @model_validator(mode="after")
    def _constrained(self) -> Self:
        if self.do_sample:
            raise ValueError("do_sample=True: beams under constraints compare exact scores; set do_sample=False")
        if not self.force_words_ids and not self.constraints:
            raise ValueError("force_words_ids and constraints are both empty: give one, or use beam-search")
        return self

    def demands(self) -> tuple[tuple[Phrase, ...], ...]:
        """Of each of these, one phrase must come."""
        forced: list[Constraint] = []
        for words in self.force_words_ids:
            nested = [one for one in words if isinstance(one, list)]
            forced.append(DisjunctiveConstraint(nested) if nested else PhrasalConstraint(_plain(words)))
        return tuple(one.alternatives for one in [*forced, *self.constraints])


def _plain(words: list[int] | list[list[int]]) -> list[int]:
    return [one for one in words if isinstance(one, int)]
