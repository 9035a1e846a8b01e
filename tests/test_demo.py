"""The demo: a real chat model answers a real question, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.models
def test_the_demo_answers(repository: Path, smollm2: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", repository / "examples" / "demo.py", smollm2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "The capital of France is Paris." in done.stdout
    for figure in ("load", "prompt", "answer", "tokens/s"):
        assert figure in done.stdout
