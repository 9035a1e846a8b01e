"""What a task may be told by keyword: typed, and refused when unknown."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from modelry.errors import ParameterError


class TaskParameters(BaseModel):
    """The keywords of one task. A task subclasses it with typed fields and defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @classmethod
    def accepted(cls, values: Mapping[str, Any]) -> frozenset[str]:
        """Every keyword that a call may use; what is said by `values` may bring more."""
        return frozenset(cls.model_fields)


P = TypeVar("P", bound=TaskParameters)


def read_parameters(kind: type[P], values: Mapping[str, Any], *, task: str) -> P:
    """Check keywords against a task's parameters.

    Raises:
        ParameterError: a keyword is unknown (the message proposes near ones), or a value is impossible.
    """
    known = kind.accepted(values)
    for name in values:
        if name not in known:
            raise ParameterError(f"{task!r} has no parameter {name!r}. {propose(name, known)}")
    try:
        return kind(**values)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'parameters'}: {one['msg']}, found {one['input']!r}"
            for one in error.errors(include_url=False)
        )
        raise ParameterError(f"{task!r} was given impossible parameters: {told}") from error


def propose(name: str, known: Iterable[str]) -> str:
    """A sentence with the names near `name`, or all of them where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"It has: {', '.join(names)}." if names else "It has none."
