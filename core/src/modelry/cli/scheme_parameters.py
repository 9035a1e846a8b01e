"""A quantization scheme's parameters as options of a command: --group-size 64 where the scheme has a group_size.

Which options there are is known only when the scheme is, so they are read here and not by click. Never imports torch.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def read_words(
    words: Sequence[str], fields: "Mapping[str, FieldInfo]", *, scheme: str
) -> tuple[list[str], dict[str, Any]]:
    """Part what click left over into arguments and parameters.

    `--name VALUE` and `--name=VALUE`, where VALUE is read as JSON, else as text; a yes-or-no parameter needs no value,
    takes the true or false behind it, and has `--no-name`; a list is given as JSON, or one by one with the option
    repeated.

    Args:
        fields: the scheme's parameters by name.

    Raises:
        click.UsageError: the scheme has no such parameter, or a value is missing.
    """
    arguments: list[str] = []
    values: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        option, equals, text = word.partition("=")
        name = option.lstrip("-").replace("-", "_")
        if name.startswith("no_") and name not in fields and _holds(fields.get(name[3:]), bool) and not equals:
            values[name[3:]] = False
            continue
        if name not in fields or not option.startswith("--"):
            has = ", ".join(f"--{field.replace('_', '-')}" for field in fields) or "no parameters"
            raise click.UsageError(f"{scheme} has no parameter {option}; it has {has}")
        if not equals and _holds(fields[name], bool):
            values[name] = rest.pop(0) == "true" if rest and rest[0] in ("true", "false") else True
            continue
        if not equals:
            if not rest:
                raise click.UsageError(f"{option} needs a value")
            text = rest.pop(0)
        value = _value(text)
        if _holds(fields[name], list) and not isinstance(value, list):
            values[name] = [*values.get(name, []), text]
        else:
            values[name] = value
    return arguments, values


def read_scheme(scheme: str | None, settings: Iterable[str]) -> dict[str, Any] | None:
    """`--quantization SCHEME` and its `KEY=VALUE` settings as a quantization_config; None where none was asked for.

    Raises:
        click.UsageError: settings without a scheme, or one that the scheme does not have.
        RegistryError: no plugin has the scheme.
    """
    words = [f"--{setting}" for setting in settings]
    if scheme is None:
        if words:
            raise click.UsageError(f"--quantization-set {words[0][2:]!r} is for a scheme: give --quantization SCHEME")
        return None
    for word in words:
        if not word.partition("=")[1] or word.startswith("--="):
            raise click.UsageError(f"--quantization-set {word[2:]!r} is not KEY=VALUE")
    return {"quant_method": scheme, **read_words(words, parameters_of(scheme), scheme=scheme)[1]}


def parameters_of(scheme: str) -> "dict[str, FieldInfo]":
    """A scheme's parameters by name.

    Raises:
        RegistryError: no plugin has the scheme.
    """
    from modelry_registry import get_registry, resolve

    known: Any = resolve(get_registry().get("quantizers", scheme).parameters)
    return {name: field for name, field in known.model_fields.items() if name != "quant_method"}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _holds(field: "FieldInfo | None", kind: type) -> bool:
    """Whether the parameter's type is `kind`, or `kind` and None."""
    if field is None:
        return False
    return any((get_origin(one) or one) is kind for one in (field.annotation, *get_args(field.annotation)))
