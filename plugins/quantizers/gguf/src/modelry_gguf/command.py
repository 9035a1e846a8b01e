"""`modelry gguf REF OUT.gguf`: a model and its tokenizer as one file for llama.cpp. Torch comes late."""

from pathlib import Path
from typing import Any

import click

from modelry.cli.failures import fails_in_one_line
from modelry.cli.options import placement_options, read_placement
from modelry.cli.places import new_file

TYPES = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1")


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--type",
    "type_name",
    type=click.Choice(TYPES, case_sensitive=False),
    help="Of matrices.  [default: the model's dtype; packed layers stay as they are]",
)
@placement_options
@fails_in_one_line
def gguf(reference: str, out: Path, type_name: Any, **placement: Any) -> None:
    """Write the model REF into the file OUT, which llama.cpp loads: REF is a folder, a checkpoint file, or
    organisation/repository.

    \b
    modelry gguf some/model model.gguf --type Q8_0
    """
    from modelry.auto import AutoTokenizer
    from modelry.auto_heads import AutoModelForCausalLM
    from modelry_gguf.saving import save_gguf

    new_file(out)
    given = read_placement(placement)
    device, hub = given.pop("device", None), {key: given[key] for key in ("revision",) if key in given}
    tokenizer = AutoTokenizer.from_pretrained(reference, **hub)  # first: a model may be large
    model = AutoModelForCausalLM.from_pretrained(reference, device_map=device, **given)
    path = save_gguf(model, tokenizer, out, type=type_name)
    click.echo(f"Written to {path}")
