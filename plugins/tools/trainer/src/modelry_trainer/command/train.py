"""`modelry train CONFIG.yaml`: the command. Torch is imported once settings and rows have been read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from modelry.cli.failures import fails_in_one_line, one_line

EXAMPLES = (
    "chat",
    "causal-lm",
    "masked-lm",
    "sequence-classification",
    "token-classification",
    "seq2seq-lm",
    "image-classification",
)


class Refused(click.ClickException):
    """What was asked for cannot be done; nothing has been trained."""

    exit_code = 2


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="CONFIG.yaml [--SECTION.KEY VALUE]...")
@click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Another way to say the same.")
@click.option("--dry-run", is_flag=True, help="Show rows, tokens, steps, parameters and memory, and train nothing.")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in training.output_dir.")
@click.option("--example", type=click.Choice(EXAMPLES), help="Print a file to begin with, and end.")
@click.option("--json", "as_values", is_flag=True, help="The plan, or the end, as JSON.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
@fails_in_one_line
def train(
    words: tuple[str, ...],
    settings: tuple[str, ...],
    dry_run: bool,
    resume: bool,
    example: str | None,
    as_values: bool,
) -> None:
    """Train a model as the file CONFIG.yaml says.

    Its sections are model, data, preprocessing, peft and training (every field of TrainingArguments), and `task` says
    what is learnt. A key given here wins over the file: --training.learning_rate 1e-4, or --learning_rate 1e-4 where
    one section alone has it. Without a file everything is given here.

    \b
    modelry train --example chat > chat.yaml
    modelry train chat.yaml --dry-run
    modelry train chat.yaml --model some/model --peft.r 16 --max_steps 100
    modelry train chat.yaml --resume
    torchrun --nproc-per-node 2 --no-python modelry train chat.yaml
    """
    if example is not None:
        click.echo((Path(__file__).parent / "examples" / f"{example}.yaml").read_text(encoding="utf-8"), nl=False)
        return
    with refusing():
        job = read_job(words, settings, resume=resume)
    from modelry_trainer.command.telling import end_as_text, plan_as_text, plan_as_values, say

    if dry_run:
        from modelry_trainer.command.estimate import estimate

        with refusing():
            found = estimate(job)
        say(json.dumps(plan_as_values(found, job)) if as_values else plan_as_text(found, job))
        return
    for note in job.prepared.notes:
        say(f"Note: {note}", err=True)
    from modelry_trainer.command import running

    done = running.train(job, resume=resume)
    if as_values:
        places = {name.lower().replace(" ", "_"): str(path) for name, path in done.places.items()}
        say(json.dumps({"steps": done.steps, **done.metrics, **places}))
    else:
        say(end_as_text(done.steps, done.metrics, done.history, done.places))


def read_job(words: tuple[str, ...], settings: tuple[str, ...], *, resume: bool) -> Any:
    """Everything before the first step, from the command line and the file that it names."""
    from modelry_trainer.command.overrides import read_words, with_overrides
    from modelry_trainer.command.preparation import prepare
    from modelry_trainer.command.settings import check_settings, known_keys
    from modelry_trainer.command.yaml_files import read_value, read_yaml

    found = list(read_words(words, settings, known_keys()))
    files = [one for one in found if isinstance(one, str)]
    overrides = [one for one in found if not isinstance(one, str)]
    if len(files) > 1 or not found:
        raise click.UsageError(f"name one CONFIG.yaml; given: {' '.join(files) or 'nothing'}")
    name = files[0] if files else "the command line"
    values, lines = read_yaml(Path(files[0])) if files else ({}, {})
    said = {path: f"{name}, line {line}" for path, line in lines.items()}
    said |= {path: f"--{'.'.join(path)}" for path, _ in overrides}
    checked = check_settings(with_overrides(values, overrides, read_value), said, name=name)
    return prepare(checked, said, name=name, resume=resume)


@contextmanager
def refusing() -> Iterator[None]:
    """Errors before the first step are the caller's: exit code 2."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        from modelry.errors import ModelryError

        if isinstance(error, ModelryError):
            raise Refused(one_line(error)) from error
        raise
