"""Files and folders that are either the old one, whole, or the new one, whole: written aside, then renamed."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Of a disk, of a file, of what one user may have."""


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; on success it takes the place of `path` in one step.

    On any error, a full disk included, the new file is removed and the old one has not been touched. A killed process
    leaves the old file and a stray ".<name>.<random>.part". A leading "~" is the user's home, as where files are read.

    Raises:
        OSError: the folder cannot be made or written to, or `path` is a device or a pipe.
    """
    path = path.expanduser()
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "there is something that is no file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    aside = Path(name)
    try:
        with _naming(path):
            yield aside
        _give_usual_mode(aside)
        _flush(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    _flush(path.parent)


@contextlib.contextmanager
def folder_written_aside(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path` to fill; on success it becomes `path` in one step, on any error it is removed.

    Raises:
        OSError: `path` exists and is no empty folder, or nothing can be written there.
    """
    path = path.expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        with _naming(path):
            yield aside
        aside.chmod(0o777 & ~_mask())
        if path.is_dir():
            path.rmdir()
        os.rename(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _flush(path.parent)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have the error of a full disk say where it is, and that of a file too large which; not the file aside."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        place = path if error.errno == errno.EFBIG else path.parent
        raise OSError(error.errno, error.strerror, str(place)) from error


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text in one step; returns the path, with "~" written out."""
    path = path.expanduser()
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def _give_usual_mode(path: Path) -> None:
    """mkstemp makes files for their owner only; a saved model has the mode of any new file."""
    path.chmod(0o666 & ~_mask())


def _mask() -> int:
    """Bits that new files shall not have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    """Have the disk hold what was written, so that the rename cannot come before the bytes."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
