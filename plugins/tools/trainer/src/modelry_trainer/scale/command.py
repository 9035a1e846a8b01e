"""`modelry scale REF --devices 64`: what a training would take on each device. Nothing is loaded."""

import json
from typing import Any

import click

from modelry.cli.failures import fails_in_one_line


@click.command()
@click.argument("reference", metavar="REF")
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, help="How many there are.")
@click.option("--tensor", type=click.IntRange(1), help="Of them, how many share each layer's work.  [default: several]")
@click.option("--tokens", type=click.IntRange(1), default=8192, show_default=True, help="In one pass of one device.")
@click.option("--keep-activations", is_flag=True, help="Without computing layers again in the backward pass.")
@click.option("--json", "as_values", is_flag=True, help="The rows as JSON, in bytes.")
@click.option("--revision", help="Branch, tag or commit of a hub repository.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
@fails_in_one_line
def scale(
    reference: str,
    devices: int,
    tensor: int | None,
    tokens: int,
    keep_activations: bool,
    as_values: bool,
    revision: str | None,
) -> None:
    """Show what training the model REF would take on each of many devices: memory, and what they send each other.

    REF is a folder, a config.json, or organisation/name; only the configuration is read. Weights are float32 and
    products bfloat16, the optimizer is AdamW.

    \b
    modelry scale some/model
    modelry scale config.json --devices 64 --tensor 8 --tokens 16384
    """
    from modelry import AutoConfig
    from modelry_registry import get_registry, resolve
    from modelry_trainer.scale.table import as_text, rows, ways_for, without_weights

    hub: dict[str, Any] = {} if revision is None else {"revision": revision}
    config = AutoConfig.from_pretrained(reference, **hub)
    heads = get_registry().get("models", config.model_type).heads
    head = next(one for one in ("causal-lm", "base", *heads) if one in heads)
    model = without_weights(config, resolve(heads[head]))
    ways = ways_for(model, devices, tensor=tensor, recompute=not keep_activations, tokens=tokens)
    found = rows(model, ways)
    click.echo(json.dumps([row.as_values() for row in found]) if as_values else as_text(found))
