"""`modelry plugins list`: every name that is installed. Imports no plugin."""

import click

from modelry_registry.candidates import Candidate
from modelry_registry.cli.output import as_json, open_registry, print_json, print_table
from modelry_registry.errors import AmbiguousName
from modelry_registry.naming import KINDS
from modelry_registry.registry import Registry


@click.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only this kind.")
@as_json
def list_plugins(kind: str | None, as_json: bool) -> None:
    """List the installed names, who provides them, and whether they can be used. Imports no plugin."""
    registry = open_registry()
    rows = [describe(registry, one) for one in registry.candidates if kind in (None, one.kind)]
    if as_json:
        print_json(rows)
    elif rows:
        shown = ("kind", "name", "distribution", "version", "status")
        print_table([[title.upper() for title in shown], *([str(row[title]) for title in shown] for row in rows)])
    else:
        click.echo("No plugins are installed. Run: pip install modelry-core")


def describe(registry: Registry, candidate: Candidate) -> dict[str, str | int]:
    """A candidate and its status: ok, ambiguous, incompatible, or disabled by a variable."""
    variable = registry.switched_off_by(candidate)
    status = "ok"
    if variable:
        status = f"disabled by {variable}"
    elif not candidate.supported:
        status = f"incompatible (API v{candidate.api})"
    else:
        try:
            chosen = registry.provider(candidate.kind, candidate.name)
            status = "ok" if chosen == candidate else f"not preferred to {chosen.distribution}"
        except AmbiguousName:
            status = "ambiguous"
    return {
        "kind": candidate.kind,
        "name": candidate.name,
        "distribution": candidate.distribution,
        "version": candidate.version,
        "api": candidate.api,
        "module": candidate.module,
        "status": status,
    }
