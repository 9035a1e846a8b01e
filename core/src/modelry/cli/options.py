"""Options that the commands share: which model, where it runs, and what the task is told. Never imports torch."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from modelry.cli.scheme_parameters import read_scheme

F = TypeVar("F", bound=Callable[..., Any])

PLACEMENT = ("device", "dtype", "revision")
GENERATION = ("max_new_tokens", "temperature", "seed", "strategy")


def placement_options(command: F) -> F:
    """--device, --dtype, --revision and --debug."""
    for option in (
        click.option("--debug", is_flag=True, help="Show the whole traceback of an error."),
        click.option("--revision", help="Branch, tag or commit of a hub repository."),
        click.option("--dtype", help="float32, bfloat16, float16 or auto.  [default: as stored]"),
        click.option("--device", help="cpu, cuda, cuda:1, mps …  [default: the best there is]"),
    ):
        command = option(command)
    return command


def quantization_options(command: F) -> F:
    """--quantization and --quantization-set."""
    for option in (
        click.option(
            "--quantization-set",
            "scheme_settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="A parameter of the scheme: --quantization-set group-size=64. Repeatable.",
        ),
        click.option(
            "--quantization",
            "scheme",
            metavar="SCHEME",
            help="Pack the weights while loading: int8, int4 … `modelry quantize` does it once and keeps them.",
        ),
    ):
        command = option(command)
    return command


def generation_options(command: F) -> F:
    """--max-new-tokens, --temperature, --seed, --strategy and --set."""
    for option in (
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any other parameter of the task: --set top_k=20, or --top-k 20. VALUE is JSON or text. Repeatable.",
        ),
        click.option("--strategy", help="Decoding strategy; `modelry plugins list` shows what is installed."),
        click.option("--seed", type=int, help="Makes sampling repeatable."),
        click.option(
            "--temperature",
            type=click.FloatRange(0),
            help="Above 0 the answer is sampled; 0 takes the likeliest token.",
        ),
        click.option("--max-new-tokens", type=click.IntRange(1), help="Longest answer, in tokens."),
    ):
        command = option(command)
    return command


def read_parameters(options: Mapping[str, Any]) -> dict[str, Any]:
    """The task's parameters from the options that were given; --set comes last and wins."""
    values = {name: options[name] for name in GENERATION if options[name] is not None}
    temperature = values.get("temperature")
    if temperature is not None:
        values["do_sample"] = temperature > 0
        if temperature == 0:
            del values["temperature"]
    return values | read_settings(options["settings"])


def read_placement(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of `pipeline` from the options that were given."""
    return {name: options[name] for name in PLACEMENT if options[name] is not None}


def read_quantization(options: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of `pipeline` from the scheme and its settings, where they were given.

    Raises:
        click.UsageError: settings without a scheme, or one that the scheme does not have.
        RegistryError: no plugin has the scheme.
    """
    config = read_scheme(options["scheme"], options["scheme_settings"])
    return {} if config is None else {"model_kwargs": {"quantization": config}}


def read_settings(settings: Iterable[str]) -> dict[str, Any]:
    """`key=value` pairs; a value that is JSON is read as such, everything else is text.

    Raises:
        click.UsageError: a setting has no `=` or no key.
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--set {setting!r} is not KEY=VALUE")
        try:
            values[key.strip().replace("-", "_")] = json.loads(text)
        except json.JSONDecodeError:
            values[key.strip().replace("-", "_")] = text
    return values
