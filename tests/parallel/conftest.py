"""Starts the program of this folder once: it makes two processes, then four, and tells what each check found."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "divided_models.py"
SECONDS = 280
"""On a machine where much else runs; alone it takes a fifth."""

Found = Mapping[int, Mapping[str, str]]


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Number of processes, and name of a check, to what was wrong: "" where nothing was."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return {
        int(one.name): json.loads((one / "found.json").read_text(encoding="utf-8"))
        for one in folder.iterdir()
        if one.is_dir()
    }
