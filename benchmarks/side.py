"""A worker process seen from the outside: started, asked, ended."""

import json
import os
import subprocess
import sys
from typing import Any, Self

from benchmarks.weights import REPOSITORY
from benchmarks.worker import THREADS

ENVIRONMENT = {
    "OMP_NUM_THREADS": str(THREADS),
    "MKL_NUM_THREADS": str(THREADS),
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
}
"""Of every process that is measured."""


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that runs a module of ours, with pipes to talk through."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_line(process: subprocess.Popen[str]) -> str:
    """What the process says next.

    Raises:
        SystemExit: it ended before it answered; with its standard error.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, told = process.communicate()
        raise SystemExit(f"{' '.join(map(str, process.args))} failed:\n{told[-4000:]}")  # type: ignore[arg-type]
    return line


class Side:
    """One worker, ready to be asked. Use as a context manager.

    Args:
        arguments: of benchmarks.worker: the side, the work and its arguments.

    Raises:
        SystemExit: the worker ended before it answered.
    """

    def __init__(self, *arguments: str) -> None:
        self.process = start("benchmarks.worker", *arguments)
        read_line(self.process)

    def measure(self, *question: Any) -> dict[str, Any]:
        """Ask for one measurement and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(read_line(self.process))
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes standard input, at whose end the worker ends
