"""A worker answers questions, and one that fails tells why."""

import pytest

from benchmarks.side import Side


def test_a_worker_answers_until_it_is_left():
    with Side("ours", "imports", "import", "") as side:
        first, again = side.measure(), side.measure()
    assert first["torch"] is False
    assert 0 < again["cpu_seconds"] < first["cpu_seconds"]
    assert side.process.returncode == 0


def test_a_worker_that_fails_tells_why():
    with pytest.raises(SystemExit, match="no_such_work"):
        Side("ours", "no_such_work")


def test_a_worker_that_fails_with_many_words_is_not_waited_for():
    """Python names the work that it does not find, and a pipe would hold 64 KB of it."""
    with pytest.raises(SystemExit, match=r"failed:\nx+'\n$"):
        Side("ours", "x" * 100_000)
