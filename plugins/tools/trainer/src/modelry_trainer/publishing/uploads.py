"""Checkpoints to the hub while the training goes on: one upload at a time, from a thread of its own.

What is uploaded is linked into a folder of its own first: the checkpoint may be rotated away meanwhile.
That folder has the name of an unfinished checkpoint, so the next training clears it away where this one is killed.
"""

import os
import shutil
import tempfile
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

from modelry.errors import ModelryWarning
from modelry.uploading import push_folder

_TRAINING = ("optimizer.", "scheduler.", "scaler.", "random", "place.", "learning.", "trained.", "checkpoint.json")
"""Beginnings of the names of files that only resuming reads: no part of a model."""
_STATE = ("trainer_state.json", "training_args.json")


@final
class Uploads:
    """Of one repository.

    Args:
        repository: its whole name.
        options: token, revision, private of `push_folder`.
    """

    def __init__(self, repository: str, **options: Any) -> None:
        self.repository, self.options = repository, options
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._running: list[Future[str]] = []

    @property
    def are_running(self) -> bool:
        """Whether one has not ended yet."""
        return not all(one.done() for one in self._running)

    def begin(self, checkpoint: Path, *, message: str, whole_under: str | None) -> None:
        """Upload the model of a checkpoint.

        Args:
            whole_under: also the whole checkpoint, into this folder of the repository.
        """
        staged = Path(tempfile.mkdtemp(prefix=f".{checkpoint.name}.upload-", suffix=".part", dir=checkpoint.parent))
        try:
            link(checkpoint, staged, model_only=True)
            if whole_under is not None:
                link(checkpoint, staged / whole_under, model_only=False)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        self._running.append(self._worker.submit(self._upload, staged, message))

    def finish(self) -> None:
        """Wait for those that run. One that failed is told of: the training has lost nothing by it."""
        running, self._running = self._running, []
        for one in running:
            try:
                one.result()
            except Exception as error:
                warnings.warn(
                    f"a checkpoint could not be uploaded to {self.repository}: {error}. It is whole in output_dir; "
                    "trainer.push_to_hub() uploads the model as it is now",
                    ModelryWarning,
                    stacklevel=3,
                )

    def _upload(self, staged: Path, message: str) -> str:
        try:
            return push_folder(staged, self.repository, message=message, **self.options)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def link(folder: Path, target: Path, *, model_only: bool) -> None:
    """The files of a checkpoint in another folder, without a second copy of their bytes where the disk can do that."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if model_only and (name.startswith(_TRAINING) or name in _STATE):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, target / name)
        except OSError:
            shutil.copyfile(file, target / name)
