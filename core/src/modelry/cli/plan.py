"""`modelry plan REF --memory cpu=8GB,cuda:0=24GB`: how a model would lie on devices. Nothing is loaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from modelry.cli.failures import fails_in_one_line
from modelry.cli.options import quantization_options
from modelry.cli.scheme_parameters import read_scheme


@click.command()
@click.argument("reference", metavar="REF")
@click.option(
    "--memory",
    metavar="DEVICE=SIZE,...",
    help="What each device may take: cpu=8GB,cuda:0=24GB. They need not be here.  [default: this machine's]",
)
@click.option(
    "--device-map",
    "way",
    type=click.Choice(["auto", "balanced", "sequential"]),
    default="auto",
    show_default=True,
    help="Fill one GPU after the other, or all alike.",
)
@click.option("--context", type=click.IntRange(0), default=0, help="Also count a cache of so many positions.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Rows of that cache.")
@click.option("--json", "as_values", is_flag=True, help="The plan as JSON, its device_map included.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE.svg", help="Also draw a bar for each device.")
@quantization_options
@click.option("--dtype", help="float32, bfloat16, float16 or auto.  [default: as stored]")
@click.option("--revision", help="Branch, tag or commit of a hub repository.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
@fails_in_one_line
def plan(
    reference: str,
    memory: str | None,
    way: Any,
    context: int,
    batch: int,
    as_values: bool,
    picture: Path | None,
    scheme: str | None,
    scheme_settings: tuple[str, ...],
    dtype: str | None,
    revision: str | None,
) -> None:
    """Show how the model REF would lie on devices: a folder, a checkpoint file, a config.json, or organisation/name.

    Only the configuration and the headers of files that are here are read.

    \b
    modelry plan some/model --memory cpu=16GB
    modelry plan config.json --memory cuda:0=24GB,cuda:1=24GB,cpu=64GB --dtype bfloat16 --context 8192
    """
    if picture is not None and picture.suffix.lower() != ".svg":
        raise click.UsageError(f"--picture {str(picture)!r}: the picture is SVG, so name a file that ends in .svg")
    given = read_memory(memory)
    quantization = read_scheme(scheme, scheme_settings)
    from modelry.atomic import write_text
    from modelry.checkpoint.placement import named_place
    from modelry.checkpoint.planning import make_plan
    from modelry.cli.plan_picture import drawn
    from modelry.cli.plan_table import as_json, as_text

    places: Any = None if given is None else {named_place(name): size for name, size in given.items()}
    if given is not None and len(places) < len(given):
        raise click.UsageError(f"--memory {memory!r} names a device twice: cuda is cuda:0, and 0 too")
    made = make_plan(
        reference,
        memory=places,
        way=way,
        dtype=dtype or "auto",
        quantization=quantization,
        context=context,
        batch=batch,
        revision=revision,
    )
    click.echo(json.dumps(as_json(made)) if as_values else as_text(made))
    if picture is not None:
        written = write_text(picture, drawn(made))
        click.echo(f"Drawn in {written}", err=as_values)


def read_memory(text: str | None) -> Mapping[str | int, str | int] | None:
    """`DEVICE=SIZE` pairs; a device may be a GPU's number, and a size a number of bytes.

    Raises:
        click.UsageError: something else is there, or a device is named twice.
    """
    if text is None:
        return None
    found: dict[str | int, str | int] = {}
    for pair in text.split(","):
        name, equals, size = (part.strip() for part in pair.partition("="))
        if not equals or not name or not size:
            raise click.UsageError(f"--memory {pair!r} is not DEVICE=SIZE, as in cpu=8GB,cuda:0=24GB")
        device = int(name) if name.isdecimal() else name
        if device in found:
            raise click.UsageError(f"--memory names {name} twice")
        found[device] = int(size) if size.isdecimal() else size
    return found
