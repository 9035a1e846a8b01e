"""`modelry plugins doctor`: run every plugin in a process of its own and report what is wrong."""

import click

from modelry_registry import doctor as examination
from modelry_registry.cli.output import as_json, open_registry, print_json


@click.command("doctor")
@click.option("--timeout-seconds", type=click.FloatRange(min=0.1), default=30.0, show_default=True, help="Per plugin.")
@as_json
def run_doctor(timeout_seconds: float, as_json: bool) -> None:
    """Report plugins that are broken, ambiguous, incompatible, shadowed or disabled. Exit status 1 on a problem."""
    registry = open_registry()
    findings = examination.examine_all(registry, timeout_seconds=timeout_seconds)
    if as_json:
        print_json([one._asdict() for one in findings])
    else:
        for one in findings:
            click.echo(f"{'problem' if one.problem else 'note'}: {one.code}: {one.message}")
        distributions = len({one.distribution for one in registry.candidates})
        click.echo(f"{distributions} distributions with plugins: {examination.summary(findings)}")
    if any(one.problem for one in findings):
        raise SystemExit(1)
