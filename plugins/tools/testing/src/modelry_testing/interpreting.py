"""Programs whose Triton kernels Triton interprets on this processor: slowly, and without the arithmetic of bfloat16."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

APART = Path(sys.prefix) / "apart" / "flash"
"""Triton and flash-attn, beside the environment and not in it: `make .venv/flash`."""
MISSING = "" if (APART / "triton").is_dir() else "`make .venv/flash` fetches Triton and flash-attn"


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
