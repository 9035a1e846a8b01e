"""What stands on the command line beside the file: --training.learning_rate 1e-4 wins over what the file says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import click

SHORT = {"model": "ref", "data": "train", "peft": "method"}
"""Section to the key that is meant where the section is one value: `model: some/model`."""

Override = tuple[tuple[str, ...], str]
"""Keys from the outermost, and the value as text."""


def read_words(words: Sequence[str], settings: Sequence[str], known: Mapping[str, Sequence[str]]) -> Iterator[Any]:
    """Arguments (as strings) and overrides (as pairs) among the words that click left over, then those of --set.

    `--section.key VALUE`, `--section.key=VALUE`; `--key VALUE` where one section alone has the key; a key without a
    value is switched on.

    Args:
        known: section to its keys; "" to those of the file itself.

    Raises:
        click.UsageError: no section has the key, or several have.
    """
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            yield word
            continue
        name, equals, text = word[2:].partition("=")
        if not equals:
            text = left.pop(0) if left and not left[0].startswith("--") else "true"
        yield _path(name, known), text
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"--set {setting!r} is not SECTION.KEY=VALUE")
        yield _path(name.strip(), known), text


def _path(name: str, known: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    keys = tuple(name.replace("-", "_").split("."))
    if len(keys) > 1 or keys[0] in known or keys[0] in known[""]:
        if keys[0] not in known and keys[0] not in known[""]:
            raise _unknown(name, [one for one in known if one])
        return keys
    found = [section for section, names in known.items() if keys[0] in names]
    if len(found) > 1:
        ways = " or ".join(f"--{section}.{keys[0]}" for section in found)
        raise click.UsageError(f"--{name} may mean several keys: write {ways}")
    if not found:
        raise _unknown(name, [key for names in known.values() for key in names])
    return (found[0], keys[0])


def _unknown(name: str, known: Sequence[str]) -> click.UsageError:
    near = get_close_matches(name.replace("-", "_").split(".")[0], known, 1)
    return click.UsageError(f"there is no option --{name}{f': did you mean {near[0]}?' if near else ''}")


def with_overrides(
    values: Mapping[str, Any], overrides: Sequence[Override], read: Callable[[str], Any]
) -> dict[str, Any]:
    """The values of a file with those of the command line in their places.

    Raises:
        click.UsageError: an override goes into something that has no keys.
    """
    merged = {name: {SHORT[name]: value} if _is_short(name, value) else value for name, value in values.items()}
    for path, text in overrides:
        value = read(text)
        if len(path) == 1 and _is_short(path[0], value):
            path = (path[0], SHORT[path[0]])
        merged = _placed(merged, path, value, path)
    return merged


def _is_short(name: str, value: Any) -> bool:
    return name in SHORT and isinstance(value, str | list)


def _placed(values: Any, path: tuple[str, ...], value: Any, whole: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        raise click.UsageError(
            f"--{'.'.join(whole)}: {'.'.join(whole[: len(whole) - len(path)])} is {values!r} and has no keys"
        )
    inner = _placed(values.get(first), tuple(rest), value, whole) if rest else value
    return {**values, first: inner}
