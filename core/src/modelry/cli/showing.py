"""`modelry run --show FILE`: an answer drawn on its picture. What is impossible is refused before a model is loaded."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelry.cli.places import new_file

if TYPE_CHECKING:
    from modelry.pipelines import Pipeline

FORMATS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 90}),
    ".jpeg": ("JPEG", {"quality": 90}),
    ".webp": ("WEBP", {"quality": 90}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
}
"""Suffix to Pillow's name of a format that holds coloured pictures, and how it is written."""


def check_showing(task: str, items: Sequence[Any], file: Path) -> None:
    """Refuse what cannot be drawn or written.

    Raises:
        click.UsageError: there is not one input, the task draws nothing, or the file is of an unknown kind or cannot
            be written.
        RegistryError: no installed package has the task.
    """
    if file.suffix.lower() not in FORMATS:
        raise click.UsageError(f"--show {str(file)!r} has an unknown suffix: use {', '.join(FORMATS)}")
    new_file(file)
    from modelry.pipelines.building import task_named
    from modelry.pipelines.stages import Pipeline
    from modelry_registry import resolve

    kind: Any = resolve(task_named(task).pipeline)
    if kind.draw is Pipeline.draw:
        raise click.UsageError(f"--show: {task!r} has nothing to draw on a picture")
    if kind.items_of is Pipeline.items_of:
        only_one(items)


def only_one(items: Sequence[Any]) -> Any:
    """The one item.

    Raises:
        click.UsageError: there are more, or none.
    """
    if len(items) != 1:
        raise click.UsageError(f"--show draws on one picture, and there are {len(items)} inputs")
    return items[0]


def show_on_picture(
    pipe: "Pipeline[Any]", item: Any, parameters: Mapping[str, Any], file: Path, *, as_json: bool
) -> None:
    """Print the answer to one item, and write its picture with the answer on it, in one step.

    Raises:
        PreprocessorError: the item is no picture, or is an array.
        PipelineError: it has no answer.
        OSError: the file cannot be written.
    """
    from modelry.atomic import written_aside
    from modelry.errors import PreprocessorError
    from modelry.pipelines.stages import plain
    from modelry.preprocessing.images.loading import pillow

    answer, picture = pipe.answer_with_picture(item, **parameters)
    if not isinstance(picture, pillow().Image):
        raise PreprocessorError("--show draws on a picture, and the input is an array of numbers: give a file")
    click.echo(json.dumps(plain(answer), ensure_ascii=False) if as_json else pipe.display(answer))
    drawn = pipe.draw(picture, answer)
    name, options = FORMATS[file.suffix.lower()]
    with written_aside(file) as aside:
        drawn.save(aside, format=name, **options)
