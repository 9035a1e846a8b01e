"""`modelry run TASK --model REF INPUT…`: one task, from a shell. Torch is imported with the model, not for --help."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelry.cli.failures import fails_in_one_line
from modelry.cli.field_options import FieldsCommand
from modelry.cli.options import (
    generation_options,
    placement_options,
    quantization_options,
    read_parameters,
    read_placement,
    read_quantization,
)
from modelry.cli.showing import check_showing, only_one, show_on_picture

if TYPE_CHECKING:
    from modelry.pipelines import Pipeline


@click.command(cls=FieldsCommand)
@click.argument("task")
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option("--model", "-m", required=True, help="A folder, a checkpoint file (.gguf), or organisation/repository.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per input.")
@click.option("--json-input", is_flag=True, help="Inputs are JSON: a chat, a question with its context …")
@click.option("--lines", is_flag=True, help="Each line of standard input is an input of its own.")
@click.option("--batch-size", type=click.IntRange(1), default=1, show_default=True, help="Inputs worked on at once.")
@click.option("--assistant-model", metavar="REF", help="A smaller model that drafts for this one.")
@click.option(
    "--show",
    "shown",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the answer on the picture that is INPUT, and write it here: .png, .jpg, .webp …",
)
@generation_options
@quantization_options
@placement_options
@fails_in_one_line
def run(
    task: str,
    inputs: tuple[str, ...],
    model: str,
    as_json: bool,
    json_input: bool,
    lines: bool,
    batch_size: int,
    assistant_model: str | None,
    shown: Path | None,
    **options: Any,
) -> None:
    """Run TASK on each INPUT; '-' or none reads standard input.

    \b
    modelry run text-generation -m model.gguf "Once upon a time" --max-new-tokens 40
    modelry run text-generation -m some/model "My phone:" --set regex="[0-9]{3}-[0-9]{4}"
    modelry run text-generation -m some/model "My phone:" --strategy beam-search --num-beams 4
    modelry run text-generation -m some/model "Once" --quantization int4 --quantization-set group-size=64
    modelry run image-segmentation -m some/model photo.jpg --show segments.png
    modelry run image-text-to-text -m some/model photo.jpg "What is this?"
    cat reviews.txt | modelry run text-classification -m some/model --lines --json
    """
    items = read_items(inputs, json_input=json_input, lines=lines)
    if not inputs and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError("there is nothing to work on: give an INPUT, or pipe text into standard input")
    if shown is not None:
        items = iter(pictures := list(items))
        check_showing(task, pictures, shown)
    parameters, quantization = read_parameters(options), read_quantization(options)
    from modelry.pipelines import pipeline

    pipe = pipeline(task, model=model, batch_size=batch_size, **read_placement(options), **quantization)
    if assistant_model is not None:
        parameters["assistant_model"] = assistant_model
    pipe.parameters(**parameters)
    if not json_input:
        items = pipe.items_of(items)
    if isinstance(parameters.get("assistant_model"), str):
        drafting = pipeline(task, model=parameters["assistant_model"], **read_placement(options))
        parameters |= {"assistant_model": drafting.model, "assistant_tokenizer": drafting.tokenizer}
    if shown is not None:
        show_on_picture(pipe, only_one(list(items)), parameters, shown, as_json=as_json)
    elif as_json or batch_size > 1:
        show_answers(pipe, items, parameters, as_json=as_json)
    else:
        show_streams(pipe, items, parameters)


def read_items(inputs: tuple[str, ...], *, json_input: bool, lines: bool) -> Iterator[Any]:
    """The inputs in order, standard input being read when its turn comes.

    Raises:
        click.UsageError: an input is said to be JSON and is not, or standard input is closed.
    """
    for given in inputs or ("-",):
        if given == "-" and sys.stdin is None:
            raise click.UsageError("an INPUT is '-', and standard input is closed")
        if given != "-":
            texts: Iterator[str] = iter((given,))
        elif lines or json_input:
            texts = (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        else:
            texts = iter((sys.stdin.read().removesuffix("\n"),))
        for text in texts:
            yield _read_json(text) if json_input else text


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise click.UsageError(f"--json-input: {text[:60]!r} is not JSON: {error}") from error


def show_answers(pipe: "Pipeline[Any]", items: Iterator[Any], parameters: dict[str, Any], *, as_json: bool) -> None:
    """Print each answer when its batch is done."""
    from modelry.pipelines import plain

    for answer in pipe(items, **parameters):
        click.echo(json.dumps(plain(answer), ensure_ascii=False) if as_json else pipe.display(answer))


def show_streams(pipe: "Pipeline[Any]", items: Iterator[Any], parameters: dict[str, Any]) -> None:
    """Print each answer as it comes."""
    for item in items:
        for part in pipe.stream(item, **parameters):
            click.echo(part, nl=False)
        click.echo()
