"""Where a command may write, asked before its work begins: what fails only at the end has cost all of it."""

import os
from pathlib import Path

import click


def new_folder(out: Path) -> Path:
    """Pass a folder that can be made, or is empty.

    Raises:
        click.UsageError: something is there, or nothing can be made there.
    """
    out = out.expanduser()
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise click.UsageError(f"{out} exists; name a new folder")
    if out.is_dir() and any(out.iterdir()):
        raise click.UsageError(f"{out} exists and is not empty; name a new folder")
    _refuse_unwritable(out)
    return out


def new_file(out: Path) -> Path:
    """Pass a file that can be written, or written again.

    Raises:
        click.UsageError: it is a folder, or cannot be made.
    """
    out = out.expanduser()
    if out.is_dir():
        raise click.UsageError(f"{out} is a folder: name a file")
    if out.exists() and not out.is_file():  # a file would be put in its place
        raise click.UsageError(f"{out} is a device or a pipe: name a file")
    _refuse_unwritable(out)
    return out


def _refuse_unwritable(out: Path) -> None:
    above = next(one for one in out.absolute().parents if one.exists())
    if not above.is_dir():
        raise click.UsageError(f"{out} cannot be made: {above} is a file; name another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise click.UsageError(f"{out} cannot be made: {above} may not be written to; name another place")
