"""Progress is drawn on a terminal, and nowhere else."""

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
    terminal: bool, slope: nn.Module, points: list[Any], train: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", drawn)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((160, 40)))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "40")
    train(slope, points, max_steps=3)
    shown = drawn.getvalue()
    if terminal:
        assert "3/3" in shown
        assert all(word in shown for word in ("loss=", "rate=", "norm=", "tokens/s=", "GB="))
    else:
        assert shown == ""
