"""Progress is a bar on a terminal, and elsewhere a line for each log."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from modelry_trainer import Trainer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_on_a_terminal(
    terminal: bool,
    slope: nn.Module,
    points: list[Any],
    train: Callable[..., Trainer],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", drawn)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((160, 40)))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "40")
    train(slope, points, max_steps=3)
    shown, lines = drawn.getvalue(), capsys.readouterr().out.splitlines()
    if terminal:
        assert "3/3" in shown
        assert all(word in shown for word in ("loss=", "rate=", "norm=", "tokens/s=", "GB="))
        assert not lines
    else:
        assert shown == ""
        assert [line.split("  ")[0] for line in lines] == ["step 1/3", "step 2/3", "step 3/3", "step 3/3"]
        assert all(word in lines[0] for word in ("loss ", "tokens_per_second ", "memory_gb ", "seconds_left "))


@pytest.mark.parametrize(("values", "count"), [({"log_level": "error"}, 0), ({"disable_tqdm": True}, 2)])
def test_what_is_told(
    values: dict[str, Any],
    count: int,
    slope: nn.Module,
    points: list[Any],
    train: Callable[..., Trainer],
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(slope, points, max_steps=1, **values)
    assert len(capsys.readouterr().out.splitlines()) == count
