"""`modelry eval`: lm-eval's own command line, with our models among its types and as the type it begins with."""

import sys

import click

from modelry_lm_eval.registering import NAME, register

OTHERS = ("ls", "list", "validate")
"""lm-eval's commands that need no model."""


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def evaluate(arguments: tuple[str, ...]) -> None:
    """Evaluate a model with lm-eval's tasks; ARGUMENTS are those of `lm-eval`.

    \b
    modelry eval --model_args pretrained=folder-or-org/repo --tasks hellaswag --num_fewshot 5
    """
    register()
    from lm_eval.__main__ import cli_evaluate  # type: ignore[import-untyped]  # it has no types

    before = sys.argv
    sys.argv = ["modelry eval", *with_model(list(arguments))]  # the harness reads nothing else
    try:
        cli_evaluate()
    finally:
        sys.argv = before


def with_model(arguments: list[str]) -> list[str]:
    """The arguments, with `--model modelry` where a run says nothing of a model."""
    if arguments[:1] and arguments[0] in OTHERS:
        return arguments
    rest = arguments[1:] if arguments[:1] == ["run"] else arguments
    if not rest or {"-h", "--help"} & {*rest}:
        return ["run", "--help"]
    said = any(one.split("=")[0] in ("--model", "-M", "--config", "-C") for one in rest)
    return ["run", *rest] if said else ["run", "--model", NAME, *rest]
