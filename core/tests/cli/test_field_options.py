"""Fields of generation are options of `run` and `chat`."""

import click
import pytest

from modelry.cli.chat import chat
from modelry.cli.field_options import spelled_out
from modelry.cli.run import run

OWN = {"--model", "--seed"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--num-beams", "4", "hello"], ["--set", "num_beams=4", "hello"]),
        (["--num_beams=4", "--model", "m"], ["--set", "num_beams=4", "--model", "m"]),
        (["--do-sample", "hello"], ["--set", "do_sample=true", "hello"]),
        (["--do-sample", "false", "true"], ["--set", "do_sample=false", "true"]),
        (["--do-sample", "--", "true"], ["--set", "do_sample=true", "--", "true"]),
        (["--do-sample"], ["--set", "do_sample=true"]),
        (["--do-sample=false"], ["--set", "do_sample=false"]),
        (["--early-stopping", "never"], ["--set", "early_stopping=never"]),
        (["--seed", "3", "--no-such", "-m"], ["--seed", "3", "--no-such", "-m"]),
        (["a", "--", "--num-beams"], ["a", "--", "--num-beams"]),
    ],
)
def test_fields_become_settings(words: list[str], expected: list[str]) -> None:
    assert spelled_out(words, own=OWN) == expected


def test_a_value_is_missing() -> None:
    with pytest.raises(click.UsageError, match="--num-beams needs a value"):
        spelled_out(["--num-beams"], own=OWN)


def test_the_last_value_does_not_hide_another() -> None:
    with pytest.raises(click.UsageError, match="--stop_strings is given twice: of several values make a list"):
        spelled_out(["--stop-strings", ".", "x", "--stop_strings=!"], own=OWN)


@pytest.mark.parametrize(("command", "named"), [(run, ["text-generation", "--model", "m"]), (chat, ["m"])])
def test_commands_take_them(command: click.Command, named: list[str]) -> None:
    words = [*named, "--strategy", "beam-search", "--num-beams", "4"]
    context = command.make_context("it", words)
    assert context.params["settings"] == ("num_beams=4",)
    assert context.params["strategy"] == "beam-search"
    with pytest.raises(click.NoSuchOption, match="--no-such"):
        command.make_context("it", [*words, "--no-such"])
