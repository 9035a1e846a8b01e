"""From a command line, a file or a mapping to the groups of arguments that a script has: `HfArgumentParser`.

A group is a dataclass of the script's own, or `TrainingArguments`, whose fields check what they are given.
"""

import dataclasses
import inspect
import json
import types
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import yaml  # type: ignore[import-untyped]  # it ships no types
from pydantic import BaseModel

from modelry_trainer.errors import ArgumentsError, TrainFileError

_TRUTHS = {"yes": True, "true": True, "t": True, "y": True, "1": True}
_TRUTHS |= {"no": False, "false": False, "f": False, "n": False, "0": False}


class _Field(NamedTuple):
    name: str
    kind: Any
    default: Any
    required: bool
    help: str
    aliases: Sequence[str]
    checks: bool
    """Whether its group makes values of texts itself."""


class HfArgumentParser(ArgumentParser):
    """A parser with an option for each field of some groups: `--learning_rate 1e-4`, or with hyphens.

    Args:
        dataclass_types: a group, or several.
        options: of ArgumentParser.
    """

    def __init__(self, dataclass_types: type | Iterable[type] | None = None, **options: Any) -> None:
        super().__init__(**options)
        one = isinstance(dataclass_types, type)
        self.dataclass_types: list[Any] = [dataclass_types] if one else list(dataclass_types or ())  # type: ignore[arg-type]  # it is no type then
        for group in self.dataclass_types:
            for field in _fields(group):
                _add(self, field)

    def parse_args_into_dataclasses(
        self, args: Sequence[str] | None = None, return_remaining_strings: bool = False
    ) -> tuple[Any, ...]:
        """The groups, in their order; then, where the parser has options of its own, a namespace of these.

        Args:
            return_remaining_strings: what no option reads comes last; else it is refused.
        """
        namespace, rest = self.parse_known_args(args)
        if rest and not return_remaining_strings:
            self.error(f"there is no option {' '.join(rest)}")
        given = vars(namespace)
        made = [group(**_taken(given, group)) for group in self.dataclass_types]
        own = [Namespace(**given)] if given else []
        return (*made, *own, rest) if return_remaining_strings else (*made, *own)

    def parse_dict(self, args: Mapping[str, Any], allow_extra_keys: bool = False) -> tuple[Any, ...]:
        """The groups, of names and values.

        Raises:
            ArgumentsError: no group has a field of that name.
        """
        given = dict(args)
        taken = [_taken(given, group) for group in self.dataclass_types]
        if given and not allow_extra_keys:
            raise ArgumentsError(f"there are no arguments {', '.join(sorted(given))}: leave them out")
        return tuple(group(**values) for group, values in zip(self.dataclass_types, taken, strict=True))

    def parse_json_file(self, json_file: str | Path, allow_extra_keys: bool = False) -> tuple[Any, ...]:
        """The groups, of a JSON file.

        Raises:
            TrainFileError: it cannot be read.
        """
        return self.parse_dict(_read(json_file, json.loads), allow_extra_keys)

    def parse_yaml_file(self, yaml_file: str | Path, allow_extra_keys: bool = False) -> tuple[Any, ...]:
        """The groups, of a YAML file.

        Raises:
            TrainFileError: it cannot be read.
        """
        return self.parse_dict(_read(yaml_file, yaml.safe_load), allow_extra_keys)


def _read(path: str | Path, parse: Callable[[str], Any]) -> Mapping[str, Any]:
    try:
        found = parse(Path(path).expanduser().read_text(encoding="utf-8"))
    except Exception as error:
        raise TrainFileError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(found, Mapping):
        raise TrainFileError(f"{path} holds a {type(found).__name__}: write names and values")
    return found


def _fields(group: Any) -> Iterator[_Field]:
    if issubclass(group, BaseModel):
        for name, known in group.model_fields.items():
            default = known.get_default(call_default_factory=True)
            yield _Field(name, known.annotation, default, known.is_required(), known.description or "", (), checks=True)
        return
    hints = get_type_hints(group)
    for one in dataclasses.fields(group):
        factory: Any = one.default_factory
        default = one.default if factory is dataclasses.MISSING else factory()
        told, aliases = str(one.metadata.get("help", "")), tuple(one.metadata.get("aliases", ()))
        if one.init:
            needed = default is dataclasses.MISSING
            yield _Field(one.name, hints[one.name], default, needed, told, aliases, checks=False)


def _add(parser: ArgumentParser, field: _Field) -> None:
    names = [f"--{field.name}", *([f"--{field.name.replace('_', '-')}"] if "_" in field.name else []), *field.aliases]
    told = field.help if field.required else f"{field.help} (default: {field.default})".strip()
    options: dict[str, Any] = {"default": SUPPRESS, "required": field.required, "help": told.replace("%", "%%")}
    kinds = sorted(_kinds(field.kind), key=lambda kind: kind is not bool)
    several = next((kind for kind in kinds if get_origin(kind) in (list, tuple) or kind in (list, tuple)), None)
    if bool in kinds:
        options |= {"nargs": "?", "const": True, "type": _converter(kinds)}
    elif several is not None:
        inner = (get_args(several) or (str,))[0]
        options |= {"nargs": "*", "type": str if field.checks else _converter(_kinds(inner))}
    else:
        options["type"] = _mapping_or_text if field.checks else _converter(kinds)
    parser.add_argument(*names, dest=field.name, **options)
    if kinds == [bool] and field.default is True:
        against = f"--no_{field.name}"
        parser.add_argument(against, against.replace("_", "-"), dest=field.name, action="store_false", default=SUPPRESS)


def _kinds(kind: Any) -> list[Any]:
    """What a value may be, without None."""
    if get_origin(kind) in (Union, types.UnionType):
        return [inner for one in get_args(kind) for inner in _kinds(one)]
    return [] if kind is type(None) else [kind]


def _converter(kinds: Sequence[Any]) -> Callable[[str], Any]:
    """A text to the first of them that it can be."""

    def convert(text: str) -> Any:
        for kind in kinds:
            try:
                return _value(kind, text)
            except (ValueError, KeyError):
                continue
        raise ArgumentTypeError(f"{text!r} is none of {', '.join(getattr(one, '__name__', str(one)) for one in kinds)}")

    return convert


def _value(kind: Any, text: str) -> Any:
    if kind is bool:
        return _TRUTHS[text.lower()]
    if get_origin(kind) is Literal:
        return {str(one): one for one in get_args(kind)}[text]
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return {str(one.value): one for one in kind}[text]
    if kind is dict or get_origin(kind) is dict:
        return _mapping_or_text(text)
    return kind(text) if kind in (int, float, Path) else text


def _mapping_or_text(text: str) -> Any:
    return json.loads(text) if text.startswith("{") else text


def _taken(given: dict[str, Any], group: Any) -> dict[str, Any]:
    """What is of this group, taken out."""
    return {field.name: given.pop(field.name) for field in _fields(group) if field.name in given}
