"""The folders of checkpoints: written aside and renamed, listed, verified, rotated.

A folder "checkpoint-<step>" has a list of its files with their sizes and sums, written last.
"""

import errno
import json
import re
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from modelry.atomic import folder_written_aside
from modelry.errors import ModelryWarning
from modelry_trainer.distributed.world import World
from modelry_trainer.errors import CheckpointUnusable, SaveFailed

T = TypeVar("T")
COMPLETE = "checkpoint.json"
_NAME = re.compile(r"checkpoint-(\d+)")
_STRAY = re.compile(r"\.checkpoint-\d+\..*\.part")
_PIECE = 1 << 22


def write_checkpoint(folder: Path, fill: Callable[[Path], None], world: World) -> None:
    """Have `fill` write into a new folder, which becomes `folder` in one step. All processes fill it together.

    Raises:
        SaveFailed: the disk is full, or not writable; nothing of it is left, and older checkpoints are whole.
    """
    with ExitStack() as until_it_is_whole:

        def begin() -> str:
            if not world.leads:
                return ""
            if folder.exists():  # the step was run again after another one before it was resumed from
                _remove(folder)
            return str(until_it_is_whole.enter_context(folder_written_aside(folder)))

        def finish() -> None:
            if world.leads:
                sums = {str(path.relative_to(aside)): _measure(path) for path in sorted(_files(aside))}
                (aside / COMPLETE).write_text(json.dumps({"files": sums}, indent=2), encoding="utf-8")
                until_it_is_whole.close()

        aside = Path(world.everywhere(_saying(folder, begin))[world.leader])
        world.everywhere(_saying(folder, lambda: fill(aside)))
        world.everywhere(_saying(folder, finish))


def _saying(folder: Path, act: Callable[[], T]) -> Callable[[], T]:
    def acting() -> T:
        try:
            return act()
        except OSError as failed:
            cause = failed.__cause__ if isinstance(failed, SaveFailed) else None  # save_model has said so already
            error = cause if isinstance(cause, OSError) else failed
            raise SaveFailed(
                f"{folder} could not be written ({error}): {_room(folder)}. Nothing of it is left; checkpoints before "
                f"it are whole. {_what_helps(error)}, and resume with resume_from_checkpoint=True"
            ) from error

    return acting


@contextmanager
def saving_to(folder: Path) -> Iterator[None]:
    """A model is written here, at once or not at all.

    Raises:
        SaveFailed: the disk is full, or not writable.
    """
    try:
        yield
    except OSError as error:
        raise SaveFailed(
            f"the model could not be written to {folder} ({error}): {_room(folder)}. What was there before is as it "
            f"was. {_what_helps(error)}, and call save_model again: the trainer still has the model"
        ) from error


def _what_helps(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Make room, or set save_total_limit"
    return "Name a folder that can be written in output_dir"


def checkpoints(output: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    if not output.is_dir():
        return []
    found = [(int(name[1]), path) for path in output.iterdir() if (name := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def verify(folder: Path) -> None:
    """Compare every file with the list.

    Raises:
        CheckpointUnusable: the list or a file is missing, shorter, longer, or has other bytes.
    """
    try:
        files = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))["files"].items()
        for name, (size, total) in files:
            if _measure(folder / name) != [size, total]:
                raise CheckpointUnusable(f"{folder / name} is not what was written: its bytes have changed")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, CheckpointUnusable):
            raise
        raise CheckpointUnusable(f"{folder} is no whole checkpoint: {error}") from error


def newest_whole(output: Path, *, before: Path | None = None) -> Path:
    """The newest checkpoint whose files are all as they were written; says which ones it passes over.

    Args:
        before: begin with this one.

    Raises:
        CheckpointUnusable: none is whole.
    """
    candidates = checkpoints(output)
    if before is not None:
        older = candidates[: candidates.index(before)] if before in candidates else []
        candidates = [*older, before]
    broken = []
    for folder in reversed(candidates):
        try:
            verify(folder)
        except CheckpointUnusable as error:
            broken.append(str(error))
            continue
        if broken:
            message = f"{'; '.join(broken)}. The training resumes from the one before, {folder}"
            warnings.warn(message, ModelryWarning, stacklevel=2)
        return folder
    raise CheckpointUnusable(
        f"{output} has no whole checkpoint to resume from: {'; '.join(broken) or 'there is none at all'}"
    )


def rotate(output: Path, *, keep: int | None, best: str | None, newest: Path) -> None:
    """Remove the oldest checkpoints beyond `keep`; the best and the one just written stay."""
    if keep is None:
        return
    present = checkpoints(output)
    stay = {newest.name, newest.name if best is None else Path(best).name}
    spare = [path for path in present if path.name not in stay]
    for folder in spare[: max(0, len(present) - keep)]:
        _remove(folder)


def clear_strays(output: Path) -> None:
    """Remove what a killed process left of checkpoints that it was writing or removing."""
    if output.is_dir():
        for path in output.iterdir():
            if _STRAY.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def _remove(folder: Path) -> None:
    """First it stops being a checkpoint, in one step; then it goes."""
    stray = folder.with_name(f".{folder.name}.removed.part")
    shutil.rmtree(stray, ignore_errors=True)
    folder.rename(stray)
    shutil.rmtree(stray, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _measure(path: Path) -> list[int]:
    size = total = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            size, total = size + len(piece), zlib.crc32(piece, total)
    return [size, total]


def _room(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder.parent).free / 1e9:.2f} GB are free there"
    except OSError:
        return "the folder above it cannot be looked into"
