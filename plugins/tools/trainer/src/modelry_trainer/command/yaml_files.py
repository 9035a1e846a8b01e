"""A YAML file as plain values, and the line of each: YAML 1.2, where `no` is a word and 1e-4 a number."""

import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it ships no types

from modelry_trainer.errors import TrainFileError

Path_ = tuple[str, ...]
"""Keys from the outermost to a value; entries of lists by their numbers."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # its class is untyped
    """Plain data only, as every safe loader; scalars as YAML 1.2 reads them."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own name, which add_implicit_resolver fills


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", "<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), _first)


def _whole_number(_: Any, node: Any) -> int:
    text = str(node.value)
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def read_yaml(file: Path) -> tuple[dict[str, Any], dict[Path_, int]]:
    """The mapping that a file holds, and the line of each key and entry.

    Raises:
        TrainFileError: there is no such file, it is no YAML, holds something else, or has a key twice.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TrainFileError(
            f"there is no file {file}; `modelry train --example chat` writes one to begin with"
        ) from None
    except IsADirectoryError:
        raise TrainFileError(f"{file} is a folder: name the YAML file in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TrainFileError(f"{file} cannot be read: {error}") from error
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines = {} if node is None else dict(_lines(node, (), set(), file))
        values = {} if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{file}, line {mark.line + 1}" if mark else str(file)
        raise TrainFileError(f"{where}: this is no YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError:
        raise TrainFileError(f"{file} holds itself: an alias names what stands around it") from None
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise TrainFileError(f"{file} holds a {type(values).__name__}; sections (model:, data:, training:) are needed")
    return values, lines


def read_value(text: str) -> Any:
    """One value as it would stand in a file: 1e-4, true, [q_proj, v_proj]. What is no YAML is text, and so is
    what would be a mapping or a list without brackets: "translate English to German: ", "- "."""
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        return text
    return text if isinstance(value, dict | list) and not text.lstrip().startswith(("{", "[")) else value


def _lines(node: Any, path: Path_, above: set[int], file: Path) -> Iterator[tuple[Path_, int]]:
    """The line of everything that stands in a node."""
    if id(node) in above:
        raise RecursionError
    above = {*above, id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: dict[Hashable, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen and isinstance(key, yaml.ScalarNode) and key.value != "<<":
                raise TrainFileError(f"{file}, line {line}: {key.value} stands in line {seen[key.value]} already")
            if isinstance(key, yaml.ScalarNode):
                seen[key.value] = line
                yield (*path, key.value), line
                yield from _lines(value, (*path, key.value), above, file)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*path, str(number)), value.start_mark.line + 1
            yield from _lines(value, (*path, str(number)), above, file)
