"""Folders that last as long as the process: models, wheels and files that several checks share."""

import atexit
import shutil
import tempfile
from pathlib import Path


def new_folder() -> Path:
    """An empty folder of one's own, removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="modelry-testing-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
