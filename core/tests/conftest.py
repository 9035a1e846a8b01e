"""What the kernel's tests share: toy families, a local hub, and fresh interpreters."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelry_registry import Registry, get_registry, use_registry
from modelry_testing.hub_server import HubServer, only_hub

TOYS = Path(__file__).parent / "toys"
sys.path.insert(0, str(TOYS))


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Everything installed, and the kernel's toys."""
    from kernel_toys import FAMILIES

    with use_registry(get_registry().extended(*FAMILIES, distribution="kernel-toys")) as extended:
        yield extended


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub on this machine that every hub function of this process speaks to, with an empty cache."""
    with only_hub(monkeypatch, tmp_path) as server:
        yield server


@pytest.fixture
def run_fresh() -> Callable[..., str]:
    """Run code in a fresh interpreter that knows the toys' module; returns what it prints."""

    def run(code: str, *, expect: int = 0, **environment: str) -> str:
        path = os.pathsep.join([str(TOYS), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )
        assert done.returncode == expect, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
