"""`modelry run`, as far as it goes without a model. With one: the tests of the text-generation plugin."""

import io
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner

from modelry.cli.run import read_items, run, show_answers, show_streams


class Shouter:
    """Answers in capitals."""

    def __call__(self, items: Iterator[str], **parameters: Any) -> Iterator[Any]:
        return ({"shout": item.upper(), **parameters} for item in items)

    def stream(self, item: str, **parameters: Any) -> Iterator[str]:
        yield from item.upper()

    def display(self, answer: Any) -> str:
        return str(answer["shout"])


def test_a_model_is_required() -> None:
    done = CliRunner().invoke(run, ["text-generation", "hello"])
    assert done.exit_code == 2
    assert "--model" in done.stderr


def test_nothing_to_work_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(click.UsageError, match="nothing to work on"):
        run.main(["text-generation", "--model", "x"], standalone_mode=False)


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python then has None there."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(click.UsageError, match="an INPUT is '-', and standard input is closed"):
        list(read_items(("a", "-"), json_input=False, lines=False))


def test_an_unknown_task_is_one_line() -> None:
    done = CliRunner().invoke(run, ["no-such-task", "--model", "nowhere", "hello"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "no-such-task" in done.stderr


@pytest.mark.parametrize(
    ("inputs", "options", "stdin", "expected"),
    [
        (("a", "b"), {}, "", ["a", "b"]),
        ((), {}, "two\nlines\n", ["two\nlines"]),
        (("-",), {}, "text", ["text"]),
        (("a", "-"), {"lines": True}, "b\n\nc\n", ["a", "b", "c"]),
        ((), {"lines": True}, "", []),
        (('{"a": 1}',), {"json_input": True}, "", [{"a": 1}]),
        (("-",), {"json_input": True}, '"x"\n[1]\n', ["x", [1]]),
    ],
)
def test_inputs(
    inputs: tuple[str, ...], options: dict[str, bool], stdin: str, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    assert list(read_items(inputs, **{"json_input": False, "lines": False} | options)) == expected


def test_bad_json_is_refused() -> None:
    with pytest.raises(click.UsageError, match=r"'\{oops' is not JSON"):
        list(read_items(("{oops",), json_input=True, lines=False))


def test_streams_are_printed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    show_streams(Shouter(), iter(["one", "two"]), {})
    assert capsys.readouterr().out == "ONE\nTWO\n"


@pytest.mark.parametrize(
    ("as_json", "expected"), [(True, '{"shout": "É", "n": 1}\n{"shout": "B", "n": 1}\n'), (False, "É\nB\n")]
)
def test_answers_are_lines(as_json: bool, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_answers(Shouter(), iter(["é", "b"]), {"n": 1}, as_json=as_json)
    assert capsys.readouterr().out == expected
