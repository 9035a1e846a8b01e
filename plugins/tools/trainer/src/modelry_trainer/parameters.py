"""What a user may say to an optimizer or a schedule: the keyword arguments of the function that makes it."""

import inspect
import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from modelry.errors import ParameterError

T = TypeVar("T")


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


def made(what: str, make: Callable[..., T], given: Mapping[str, Any]) -> T:
    """What a function makes of parameters that it has.

    Args:
        what: for the message ("optimizer 'lion'").

    Raises:
        ParameterError: a value is impossible.
    """
    try:
        return make(**given)
    except (TypeError, ValueError, ArithmeticError) as error:
        if isinstance(error, ParameterError) or not given:
            raise
        told = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ParameterError(f"{what} cannot be made with {told}: {error}") from error


def within(what: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is not from `low` on and below `high`.

    Raises:
        ParameterError: says where it has to be.
    """
    if not low <= value < high:
        raise ParameterError(f"{what} is {value:g}: write a number from {low:g} on{f', below {high:g}' * (high < 1e9)}")


def _check_kind(what: str, name: str, value: object, kind: Any) -> None:
    if kind is inspect.Parameter.empty:
        return
    number = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # it is one
    try:  # of numbers, whole or not, the function says which it takes
        TypeAdapter(kind).validate_python(1 if number else value)
    except ValidationError as error:
        raise ParameterError(f"{what} has {name} {value!r}: {error.errors()[0]['msg'].lower()}") from None
    if isinstance(value, float) and not number:
        raise ParameterError(f"{what} has {name} {value!r}: write a number")


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
    kinds = inspect.signature(make).parameters
    for name, value in given.items():
        _check_kind(what, name, value, kinds[name].annotation)
    missing = [name for name, needed in known.items() if needed and name not in given]
    if missing:
        raise ParameterError(f"{what} must be told {', '.join(missing)}")
