"""A worker process seen from the outside: started, asked, ended."""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any, Self

from benchmarks.weights import REPOSITORY
from benchmarks.worker import THREADS

ENVIRONMENT = {
    "OMP_NUM_THREADS": str(THREADS),
    "MKL_NUM_THREADS": str(THREADS),
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
    "PYTHONDONTWRITEBYTECODE": "",  # an installed package has its bytecode; ours, editable, gets it on the first run
}
"""Of every process that is measured."""


class Process(subprocess.Popen[str]):
    """A Python process that runs a module of ours, with pipes to talk through.

    Its standard error goes to a file: a pipe that nobody reads holds 64 KB, and a process that says more would wait.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        super().__init__(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )
        self.named = " ".join((module, *arguments))

    def read_line(self) -> str:
        """What the process says next.

        Raises:
            SystemExit: it ended before it answered; with the end of its standard error.
        """
        assert self.stdout is not None
        line = self.stdout.readline()
        if not line:
            raise SystemExit(f"{self.named} failed:\n{self.end()[-4000:]}")
        return line

    def end(self) -> str:
        """Close its standard input, at whose end a worker ends, and wait; its standard error."""
        self.communicate()
        with self.said:
            self.said.seek(0)
            return self.said.read()


class Side:
    """One worker, ready to be asked. Use as a context manager.

    Args:
        arguments: of benchmarks.worker: the side, the work and its arguments.

    Raises:
        SystemExit: the worker ended before it answered.
    """

    def __init__(self, *arguments: str) -> None:
        self.process = Process("benchmarks.worker", *arguments)
        self.process.read_line()

    def measure(self, *question: Any) -> dict[str, Any]:
        """Ask for one measurement and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.read_line())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.end()
