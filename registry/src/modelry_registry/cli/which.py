"""`modelry plugins which PATH_OR_REPO`: who would serve a checkpoint, or what to install."""

from dataclasses import asdict

import click

from modelry_registry import which as rules
from modelry_registry.cli.output import as_json, open_registry, print_json
from modelry_registry.naming import label


@click.command("which")
@click.argument("path_or_repo")
@click.option("--revision", help="Branch, tag or commit of a hub repository.")
@as_json
def which_plugin(path_or_repo: str, revision: str | None, as_json: bool) -> None:
    """Say which plugins would serve PATH_OR_REPO, from its config.json. Exit status 1 if one is not there."""
    needs = rules.which(open_registry(), path_or_repo, revision=revision)
    install = sorted({name for need in needs for name in need.install})
    served = all(need.status == "ok" for need in needs)
    if as_json:
        print_json({"served": served, "needs": [asdict(need) for need in needs], "install": install})
    else:
        for need in needs:
            text = f"{need.distribution} {need.version}" if need.status == "ok" else need.status
            click.echo(f"{label(need.kind)} {need.name}: {text}")
            if need.message:
                click.echo(f"  {need.message}")
        if len(install) > 1:
            click.echo(f"Run: pip install {' '.join(install)}")
    if not served:
        raise SystemExit(1)
