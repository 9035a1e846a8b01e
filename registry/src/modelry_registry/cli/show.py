"""`modelry plugins show NAME`: what one plugin says of itself. Imports its light module, and no torch."""

from collections.abc import Mapping
from dataclasses import fields

import click

from modelry_registry import failures
from modelry_registry.candidates import Candidate
from modelry_registry.cli.listing import describe
from modelry_registry.cli.output import as_json, open_registry, print_json
from modelry_registry.errors import RegistryError, UnknownName
from modelry_registry.known import known_distribution
from modelry_registry.naming import KINDS, NAME, canonical, quoted
from modelry_registry.registry import Registry
from modelry_registry.specs import Spec


@click.command("show")
@click.argument("name")
@as_json
def show_plugin(name: str, as_json: bool) -> None:
    """Show what provides NAME: a name ("llama"), kind:name ("models:llama") or a distribution."""
    registry = open_registry()
    described = [_describe(registry, one) for one in find(registry, name)]
    if as_json:
        print_json(described)
        return
    for number, one in enumerate(described):
        click.echo(("\n" if number else "") + f"{one.pop('kind')}:{one.pop('name')}")
        for key, value in one.items():
            for line, text in enumerate(_lines(value)):
                click.echo(f"  {key if not line else '':<14}{text}".rstrip())


def find(registry: Registry, name: str) -> list[Candidate]:
    """The candidates that a person means by NAME, by kind:name or by the name of a distribution.

    Raises:
        UnknownName, MissingPlugin: there are none.
    """
    kind, colon, key = name.partition(":")
    if colon:
        failures.check_kind(kind)
        failures.check_name(kind, key)
        found = [one for one in registry.candidates if (one.kind, one.name) == (kind, key)]
        if not found:
            raise failures.nobody(kind, key, registry.names(kind))
        return found
    if not NAME.fullmatch(name):
        raise UnknownName(f"{quoted(name)} is neither a name nor kind:name")
    found = [one for one in registry.candidates if one.name == name or one.distribution == canonical(name)]
    if found:
        return found
    absent = [(one, name, owner) for one in KINDS if (owner := known_distribution(one, name)) is not None]
    if absent:
        raise failures.missing(absent)
    installed = sorted({one.name for one in registry.candidates})
    raise UnknownName(f"no installed or known package provides {quoted(name)}. Installed: {failures.some(installed)}")


def _describe(registry: Registry, candidate: Candidate) -> dict[str, object]:
    shown: dict[str, object] = dict(describe(registry, candidate))
    if not registry.usable(candidate):
        return shown
    try:
        return shown | _values(registry.spec(candidate))
    except RegistryError as error:
        return shown | {"status": "broken", "error": str(error)}


def _values(spec: Spec) -> dict[str, object]:
    values = {one.name: getattr(spec, one.name) for one in fields(spec) if one.name != spec.name_field}
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _lines(value: object) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}: {one}" for key, one in value.items()] or ["-"]
    if isinstance(value, tuple):
        return [", ".join(map(str, value)) or "-"]
    return [str(value) if value != "" else "-"]
