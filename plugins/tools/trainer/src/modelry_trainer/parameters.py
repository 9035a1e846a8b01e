"""What a user may say to an optimizer or a schedule: the keyword arguments of the function that makes it."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from modelry.errors import ParameterError


def accepted(make: Callable[..., Any], *, ours: frozenset[str]) -> dict[str, bool]:
    """The parameters of a function, and whether each must be given.

    Args:
        ours: keyword arguments that the trainer gives by itself.
    """
    return {
        name: one.default is inspect.Parameter.empty
        for name, one in inspect.signature(make).parameters.items()
        if one.kind is inspect.Parameter.KEYWORD_ONLY and name not in ours
    }


def check_parameters(what: str, make: Callable[..., Any], given: Mapping[str, object], *, ours: frozenset[str]) -> None:
    """Refuse parameters that a function does not have, and a call without those that it needs.

    Args:
        what: for the message ("optimizer 'lion'").

    Raises:
        ParameterError: says what it takes.
    """
    known = accepted(make, ours=ours)
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ParameterError(f"{what} has no parameter {name!r}: {hint}it takes {', '.join(known) or 'none'}")
    missing = [name for name, needed in known.items() if needed and name not in given]
    if missing:
        raise ParameterError(f"{what} must be told {', '.join(missing)}")
