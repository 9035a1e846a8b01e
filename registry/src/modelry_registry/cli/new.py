"""`modelry plugins new KIND NAME`: write a package that builds, installs and keeps its contracts as written."""

from pathlib import Path

import click

from modelry_registry import new as writer
from modelry_registry.cli.output import as_json, print_json


@click.command("new")
@click.argument("kind", type=click.Choice(list(writer.KINDS)))
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), default=".", help="Where to write it; here by default.")
@as_json
def new_plugin(kind: str, name: str, folder: Path, as_json: bool) -> None:
    """Write a new plugin package of KIND, called NAME (kebab-case)."""
    written = writer.write_package(kind, name, folder)
    if as_json:
        files = sorted(str(file.relative_to(written)) for file in written.rglob("*") if file.is_file())
        print_json({"folder": str(written), "files": files})
    else:
        click.echo(f"Wrote {written}. Next: pip install -e {written} && modelry plugins check {name}")
