"""How a command fails: one line on standard error and exit code 1; the traceback only with --debug."""

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import click


def one_line(error: BaseException) -> str:
    """An error as one line. A purposeful message speaks for itself, of another kind the name is needed too."""
    text = " ".join(str(error).split())
    if isinstance(error, (ValueError, FileNotFoundError, PermissionError)) or type(error).__module__.startswith(
        "modelry"
    ):
        return text or type(error).__name__
    return f"{type(error).__name__}: {text}"


def fails_in_one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what a command raises into a line and an exit code; warnings become lines too. Needs a `debug` option."""

    @functools.wraps(command)
    def guarded(*arguments: Any, debug: bool, **options: Any) -> None:
        shown, warnings.formatwarning = warnings.formatwarning, _one_line_warning
        try:
            command(*arguments, **options)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # The reader has gone. Standard output must not be flushed again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        except Exception as error:
            if debug:
                raise
            raise click.ClickException(one_line(error)) from error
        finally:
            warnings.formatwarning = shown

    return guarded


def _one_line_warning(message: Any, category: type[Warning], *where: Any, **more: Any) -> str:
    return f"Warning: {' '.join(str(message).split())}\n"
