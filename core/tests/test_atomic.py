"""A file is the old one, whole, or the new one, whole."""

from pathlib import Path

import pytest

from modelry.atomic import write_text, written_aside


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = write_text(tmp_path / "made" / "x.json", "old")
    with written_aside(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x", "old")

    def fail() -> None:
        with written_aside(path) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
