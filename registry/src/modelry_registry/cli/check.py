"""`modelry plugins check NAME`: run the conformance kit, which is a package of its own, on an installed plugin."""

import subprocess
import sys
from importlib.util import find_spec

import click

from modelry_registry.cli.output import as_json, open_registry
from modelry_registry.cli.show import find
from modelry_registry.errors import MissingPlugin


@click.command("check")
@click.argument("name")
@as_json
def check_plugin(name: str, as_json: bool) -> None:
    """Check that the plugin NAME (or kind:name) keeps its contracts. Exit status 1 if a check fails."""
    kinds = {one.kind for one in find(open_registry(), name)}
    if find_spec("modelry_testing") is None:
        raise MissingPlugin(
            "the conformance kit is not installed. Run: pip install modelry-testing", ("modelry-testing",)
        )
    command = [sys.executable, "-P", "-m", "modelry_testing", name.rpartition(":")[2]]
    if ":" in name:
        command += ["--kind", *kinds]
    if as_json:
        command.append("--json")
    raise SystemExit(subprocess.run(command, check=False).returncode)
