"""A file is the old one, whole, or the new one, whole."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from modelry.atomic import folder_written_aside, write_text, written_aside


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


@pytest.mark.parametrize("written", [written_aside, folder_written_aside])
def test_a_full_disk_is_said_of_the_place(written: Any, tmp_path: Path) -> None:
    def fail() -> None:
        with written(tmp_path / "x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as caught:
        fail()
    assert caught.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="there is something that is no file"):
        write_text(tmp_path / "pipe", "new")
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_is_there_when_it_is_complete(tmp_path: Path) -> None:
    with folder_written_aside(tmp_path / "made" / "x") as aside:
        (aside / "a").write_text("a")
        assert not (tmp_path / "made" / "x").exists()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["x"]
    assert (tmp_path / "made" / "x" / "a").read_text() == "a"
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "made" / "x").stat().st_mode == (tmp_path / "plain").stat().st_mode
    with folder_written_aside(tmp_path / "plain") as aside:
        (aside / "b").write_text("b")
    assert (tmp_path / "plain" / "b").is_file()


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with folder_written_aside(tmp_path / "x") as aside:
            (aside / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_text("mine")
    with pytest.raises(OSError, match="x"), folder_written_aside(tmp_path / "x") as aside:
        (aside / "a").write_text("new")
    assert (tmp_path / "x" / "a").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
