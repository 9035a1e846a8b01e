"""Operations of chat templates that can make much out of little, each with its size known before it runs."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from typing import Any

from jinja2 import Environment, pass_environment
from jinja2.filters import make_attrgetter

from modelry.preprocessing.template_budget import LimitReached, budget

LARGEST_WIDTH = 10_000
"""Characters that a value may be filled up to."""
LARGEST_INTEGER_BITS = 65_536

_PERCENT_WIDTH = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?")
_BRACE_WIDTH = re.compile(r":[^{}]*(\d{5,}|\{)")


def width(value: Any) -> None:
    """Refuse to fill up to more than LARGEST_WIDTH."""
    if isinstance(value, int) and value > LARGEST_WIDTH:
        raise LimitReached(f"it fills a value up to {value:,} characters; {LARGEST_WIDTH:,} are allowed")


def replaced(text: str, old: str, new: str, count: int) -> None:
    """Foresee str.replace."""
    found = text.count(old) if old else len(text) + 1
    found = found if count < 0 else min(found, count)
    budget().allow(len(text) + found * max(0, len(new) - len(old)))


def percent_format(text: str, arguments: Any) -> None:
    """Foresee text % arguments."""
    for found in _PERCENT_WIDTH.finditer(text):
        for digits in found.groups():
            if digits == "*" or (digits and (len(digits) > 5 or int(digits) > LARGEST_WIDTH)):
                raise LimitReached(f"the format {found.group()!r:.40} is too wide")
    fields = text.count("%")
    budget().allow(len(text) + fields * (budget().size_of(arguments) + 64) + _widths(text))


def brace_format(text: str, arguments: Any) -> None:
    """Foresee text.format(*arguments)."""
    if _BRACE_WIDTH.search(text):
        raise LimitReached(f"the format {text!r:.40} has a width that is too large or not written out")
    fields = text.count("{")
    budget().allow(len(text) + fields * (budget().size_of(arguments) + 64) + _widths(text))


def _widths(text: str) -> int:
    """The characters that all widths in a format ask for, at most."""
    return sum(int(digits) for digits in re.findall(r"\d{1,5}", text))


def binary(operator: str, left: Any, right: Any) -> None:
    """Foresee left operator right, for +, *, ** and %."""
    if operator == "%" and isinstance(left, str | bytes):
        percent_format(str(left), right)
    elif operator == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | bytes | list | tuple) and isinstance(times, int):
                budget().allow(budget().size_of(sequence) * max(times, 0))
        if isinstance(left, int) and isinstance(right, int):
            _integer(left.bit_length() + right.bit_length())
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _integer(left.bit_length() * max(right, 0))
    elif operator == "+" and isinstance(left, str) and isinstance(right, str):
        budget().allow(len(left) + len(right))


def _integer(bits: int) -> None:
    if bits > LARGEST_INTEGER_BITS:
        raise LimitReached(f"it makes a number of {bits:,} bits; {LARGEST_INTEGER_BITS:,} are allowed")


def joined(parts: Iterable[Any], separator: str = "") -> str:
    """Join anything to one string, counting while it grows."""
    texts: list[str] = []
    size = 0
    for part in parts:
        budget().step()
        texts.append(part if isinstance(part, str) else str(part))
        size += len(texts[-1]) + len(separator)
        budget().allow(size)
    made: str = budget().made(separator.join(texts))
    return made


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as models are trained on it: no HTML escapes, other alphabets as they are."""
    step = indent if isinstance(indent, int) else len(indent or "")
    if step > 64:
        raise LimitReached(f"it indents JSON by {step:,} characters; 64 are allowed")
    budget().size_of(value)
    encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    return joined(encoder.iterencode(value)) if indent is not None else encoder.encode(value)


@pass_environment
def join(environment: Environment, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja's join filter."""
    parts = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    return joined(parts, str(d))


@pass_environment
def total(environment: Environment, value: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
    """Jinja's sum filter, of numbers only."""
    result = start
    for one in value if attribute is None else map(make_attrgetter(environment, attribute), value):
        budget().step()
        if not isinstance(one, Number) or not isinstance(result, Number):
            raise TypeError(f"sum adds numbers, not {type(one).__name__}")
        result = result + one  # type: ignore[operator]  # both are numbers
        if isinstance(result, int):
            _integer(result.bit_length())
    return result


def as_list(value: Iterable[Any]) -> list[Any]:
    """Jinja's list filter."""
    result = []
    for one in value:
        budget().step()
        result.append(one)
    return result


def indented(text: Any, step: Any = 4, *_flags: Any, **named: Any) -> None:
    """Foresee the indent filter: every line grows by the width."""
    step = named.get("width", step)
    step = step if isinstance(step, int) else len(str(step))
    width(step)
    budget().allow(len(str(text)) + (str(text).count("\n") + 1) * step)


def wrapped(text: Any, *arguments: Any, **named: Any) -> None:
    """Foresee the wordwrap filter: at most one separator a character."""
    separators = [str(one) for one in (*arguments, *named.values()) if isinstance(one, str)]
    budget().allow(len(str(text)) * (1 + max(map(len, separators), default=1)))


def filled(_value: Any, *arguments: Any, **named: Any) -> None:
    """Foresee center, batch, slice and round: any number is a width."""
    for one in (*arguments, *named.values()):
        width(one)


def replaced_by_filter(text: Any, old: Any, new: Any, count: int | None = None) -> None:
    """Foresee the replace filter."""
    replaced(str(text), str(old), str(new), -1 if count is None else count)


def formatted_by_filter(text: Any, *arguments: Any, **named: Any) -> None:
    """Foresee the format filter."""
    percent_format(str(text), [arguments, named])


FORESEEN: Mapping[str, Callable[..., None]] = {
    "batch": filled,
    "center": filled,
    "format": formatted_by_filter,
    "indent": indented,
    "replace": replaced_by_filter,
    "round": filled,
    "slice": filled,
    "wordwrap": wrapped,
}
"""Filters of Jinja that are checked before they run."""

REPLACED: Mapping[str, Callable[..., Any]] = {"join": join, "list": as_list, "sum": total, "tojson": tojson}
"""Filters of Jinja that ours stand for."""

REMOVED = ("pprint", "random", "urlize", "xmlattr")
"""Filters that no prompt needs and whose cost nobody bounds."""

EXISTING = frozenset({"attr", "d", "default", "first", "last", "max", "min"})
"""Filters that return what was there before."""

STRING_METHODS: Mapping[str, Callable[..., None] | None] = {
    **dict.fromkeys(
        (
            *("capitalize", "casefold", "lower", "upper", "title", "swapcase", "strip", "lstrip", "rstrip"),
            *("startswith", "endswith", "find", "rfind", "index", "rindex", "count", "removeprefix", "removesuffix"),
            *("split", "rsplit", "splitlines", "partition", "rpartition", "isalnum", "isalpha", "isascii", "isdecimal"),
            *("isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper"),
        )
    ),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), filled),
    "replace": lambda text, old, new, count=-1: replaced(text, old, new, count),
    "join": lambda separator, parts: budget().allow(
        sum(len(one) + len(separator) for one in parts if isinstance(one, str))
    ),
}
"""Methods of strings that a template may call, with what foresees their size where it can grow."""

METHODS: Mapping[type, frozenset[str]] = {
    dict: frozenset({"get", "items", "keys", "values", "copy"}),
    list: frozenset({"index", "count", "copy"}),
    tuple: frozenset({"index", "count"}),
    int: frozenset({"bit_length"}),
    float: frozenset({"is_integer"}),
}
"""Methods of other plain values that a template may call."""
