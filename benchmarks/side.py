"""A worker process seen from the outside: started, asked, ended."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from benchmarks.worker import THREADS

REPOSITORY = Path(__file__).resolve().parent.parent


class Side:
    """One worker, ready to be asked. Use as a context manager; its standard error is shown when it fails.

    Raises:
        SystemExit: the worker ended before it answered.
    """

    def __init__(self, name: str, work: str, *arguments: str) -> None:
        self.name = name
        threads = {"OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, work, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **threads, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._read()

    def measure(self) -> dict[str, Any]:
        """Ask for one measurement and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write("measure\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, told = self.process.communicate()
            raise SystemExit(f"{' '.join(map(str, self.process.args))} failed:\n{told[-4000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes standard input, at whose end the worker ends
