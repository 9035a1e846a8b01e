"""Programs whose Triton kernels Triton interprets on this processor: slowly, and without the arithmetic of bfloat16."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

APART = Path(sys.prefix) / "apart" / "interpreted"
"""Triton and flash-attn, beside the environment and not in it: `make .venv/interpreted`."""
MISSING = "" if (APART / "triton").is_dir() else "`make .venv/interpreted` fetches Triton and flash-attn"


class Driver:
    """What Triton, and who writes programs for it, asks of a GPU's driver.

    Args:
        backend: "cuda" or "hip".
        arch: what that kind calls its generation: 90, "gfx942".
        warp_size: threads that go together.
    """

    def __init__(self, backend: str, arch: int | str, warp_size: int) -> None:
        self.backend, self.arch, self.warp_size = backend, arch, warp_size

    def get_current_target(self) -> "Driver":
        """Itself."""
        return self

    def get_current_device(self) -> int:
        """There is one."""
        return 0

    def get_current_stream(self, device: object = None) -> int:
        """There is one."""
        return 0

    def get_device_interface(self) -> Any:
        """The module that speaks of the device that is really there."""
        import torch

        return torch.cpu


def interpreted(script: Path, **told: str) -> Any:
    """What a script prints as JSON.

    Args:
        script: run by this Python, with `APART` on its path.
        told: further variables of its environment.

    Raises:
        AssertionError: it fails; the message is what it says.
    """
    path = os.pathsep.join(filter(None, [str(APART), os.environ.get("PYTHONPATH")]))
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", script],
        env={**os.environ, "PYTHONPATH": path, "TRITON_INTERPRET": "1", **told},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
