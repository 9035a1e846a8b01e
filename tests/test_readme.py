"""Every command and every code block of the README does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL_BLOCKS = re.findall(r"^```shell\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path, **options: object) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.models
@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=range(len(PYTHON_BLOCKS)))
def test_python_block_runs(block: str) -> None:
    """A comment `# prints: …` below a line of a block is held against what it prints."""
    output = run([sys.executable, "-W", "error", "-c", block], REPOSITORY)
    for expected in re.findall(r"# prints: (.*)", block):
        assert expected in output


@pytest.mark.models
@pytest.mark.parametrize("line", [line for block in SHELL_BLOCKS for line in block.splitlines()])
def test_shell_line_works(line: str) -> None:
    """`make` targets exist; `modelry` commands run; `pip install` names packages of this repository."""
    program, *arguments = line.split("#")[0].split()
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert arguments[0] in targets
    elif program == "pip":
        known = [
            re.search(r'^name = "(.*)"', path.read_text(), re.MULTILINE)[1]
            for path in [*REPOSITORY.glob("*/pyproject.toml"), *REPOSITORY.glob("plugins/*/*/pyproject.toml")]
        ]
        assert set(arguments[1:]) <= set(known)
    else:
        assert program == "modelry"
        run(["bash", "-c", line], REPOSITORY)


def test_the_table_of_kinds_is_complete() -> None:
    """Every entry point that a package of this repository declares stands in the README's table."""
    for path in [*REPOSITORY.glob("*/pyproject.toml"), *REPOSITORY.glob("plugins/*/*/pyproject.toml")]:
        for kind, block in re.findall(r'entry-points\."modelry\.(\w+)\.v1"\]\n((?:[^\n\[]+\n)*)', path.read_text()):
            row = next(line for line in README.splitlines() if line.startswith(f"| `modelry.{kind}.v1`"))
            for name in re.findall(r"^([\w-]+) =", block, re.MULTILINE):
                assert f"`{name}`" in row, f"the README's row of {kind} lacks {name}"
