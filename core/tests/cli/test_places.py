"""What cannot be written is refused before the work, and says why."""

import os
from pathlib import Path

import click
import pytest

from modelry.cli.places import new_file, new_folder


def test_what_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert new_folder(Path("~/a/b")) == tmp_path / "a" / "b"
    assert new_folder(tmp_path) == tmp_path
    (tmp_path / "file").touch()
    assert new_file(tmp_path / "file") == tmp_path / "file"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file"], "nothing is made yet"


def test_what_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path, message in (
        ("file", "file exists; name a new folder"),
        ("link", "link exists; name a new folder"),
        ("", "exists and is not empty; name a new folder"),
        ("file/new/folder", r"folder cannot be made: .*file is a file"),
    ):
        with pytest.raises(click.UsageError, match=message):
            new_folder(tmp_path / path)
    with pytest.raises(click.UsageError, match=r"cannot be made: .*file is a file"):
        new_file(tmp_path / "file" / "x.gguf")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(click.UsageError, match="pipe is a device or a pipe: name a file"):
        new_file(tmp_path / "pipe")
    with pytest.raises(click.UsageError, match="is a folder: name a file"):
        new_file(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # who runs as root may write anywhere
    for ask in (new_folder, new_file):
        with pytest.raises(click.UsageError, match="may not be written to; name another place"):
            ask(tmp_path / "new" / "one")
