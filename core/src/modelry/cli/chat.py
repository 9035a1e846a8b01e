"""`modelry chat REF`: a conversation in this process. torch is imported when the model is, not for --help."""

import sys
from typing import Any

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


@click.command(cls=FieldsCommand)
@click.argument("reference", metavar="REF")
@click.option("--system", metavar="TEXT", help="System prompt: who the model is to be.")
@click.option("--image", "images", multiple=True, metavar="FILE", help="A picture for the first message. Repeatable.")
@generation_options
@quantization_options
@placement_options
@fails_in_one_line
def chat(reference: str, system: str | None, images: tuple[str, ...], **options: Any) -> None:
    """Chat with the model REF: a folder, a checkpoint file (.gguf), or organisation/repository.

    \b
    modelry chat model.gguf --system "Answer in one sentence." --temperature 0.7
    modelry chat some/model --quantization int8
    modelry chat some/model --image photo.jpg
    echo "Name the capital of France." | modelry chat model.gguf
    """
    from modelry.cli.conversation import Conversation, converse
    from modelry.pipelines import pipeline

    parameters, quantization = read_parameters(options), read_quantization(options)
    if sys.stdin is None:
        raise click.UsageError("standard input is closed, so nobody can say anything")
    person = sys.stdin.isatty()
    if person:
        click.echo(f"Loading {reference} …", err=True)
    task = "image-text-to-text" if images else "text-generation"
    pipe = pipeline(task, model=reference, **read_placement(options), **quantization)
    pipe.parameters(**parameters)
    if not any(part.chat_template for part in (pipe.tokenizer, pipe.processor) if part is not None):
        raise click.ClickException(
            f"{reference} has no chat template, so it was not made for conversations. "
            f"Use: modelry run {task} --model {reference}{' FILE' * len(images)} TEXT"
        )
    converse(pipe, Conversation(system, images), parameters, person=person)
