"""What the `plugins` commands share: the registry they look at, and text or JSON."""

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from modelry_registry.controls import STRICT
from modelry_registry.registry import Registry

as_json: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_registry() -> Registry:
    """A registry of what is installed, never strict: these commands are there to say what is wrong."""
    return Registry(environ={key: value for key, value in os.environ.items() if key != STRICT})


def print_json(value: object) -> None:
    """Print plain data, indented; escapes all but ASCII, so a terminal shows it as it is."""
    click.echo(json.dumps(value, indent=2))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
