"""Calls are counted: the same each time, Python's own and built-in ones."""

from pathlib import Path

import pytest

from modelry_testing import ContractBroken
from modelry_testing.calls import calls, calls_in_a_fresh_interpreter


def work(times: int) -> None:
    for _ in range(times):
        len("")


def test_calls_grow_with_the_work() -> None:
    assert calls(work, 20) - calls(work, 10) == 10
    assert calls(work, 10) == calls(work, 10)


def test_a_fresh_interpreter(tmp_path: Path) -> None:
    (tmp_path / "busy_module.py").write_text("for _ in range(500): len('')")
    spent = calls_in_a_fresh_interpreter("import busy_module", path=tmp_path)
    assert 500 < spent < 2000
    with pytest.raises(ContractBroken, match="ZeroDivisionError"):
        calls_in_a_fresh_interpreter("1 / 0")
