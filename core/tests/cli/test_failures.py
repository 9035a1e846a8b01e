"""How commands fail."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from modelry.cli.failures import fails_in_one_line, one_line
from modelry.errors import ConfigError, NotFound, PipelineError


def make(error: BaseException) -> click.Command:
    @click.command()
    @click.option("--debug", is_flag=True)
    @fails_in_one_line
    def command() -> None:
        raise error

    return command


def test_one_line_and_exit_code_one() -> None:
    done = CliRunner().invoke(make(ConfigError("config.json:\n  no model_type\n  in it")), [])
    assert done.exit_code == 1
    assert done.stderr == "Error: config.json: no model_type in it\n"
    assert done.stdout == ""


def test_debug_shows_the_traceback() -> None:
    done = CliRunner().invoke(make(ConfigError("no")), ["--debug"])
    assert isinstance(done.exception, ConfigError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NotFound("no folder x"), "no folder x"),
        (PipelineError("item 1"), "item 1"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError("out of\nmemory"), "RuntimeError: out of memory"),
        (ValueError(), "ValueError"),
    ],
)
def test_messages(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_usage_errors_keep_their_own_exit_code() -> None:
    assert CliRunner().invoke(make(click.UsageError("which?")), []).exit_code == 2


def test_a_warning_is_a_line() -> None:
    code = """
import click, warnings
from modelry.cli.failures import fails_in_one_line
from modelry.errors import ModelryWarning

@click.command()
@click.option("--debug", is_flag=True)
@fails_in_one_line
def command():
    warnings.warn("mind\\nthis", ModelryWarning)

command([])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "Warning: mind this\n")
