"""The package flash-attn itself, on this processor: what models say by it is what they say by sdpa."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[3] / ".venv" / "apart" / "flash"


@pytest.mark.skipif(not (PACKAGE / "flash_attn").is_dir(), reason="`make .venv/flash` fetches flash-attn and Triton")
def test_models_say_by_it_what_they_say_by_sdpa() -> None:
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    told = {"PYTHONPATH": path, "TRITON_INTERPRET": "1", "FLASH_ATTENTION_TRITON_AMD_ENABLE": "TRUE"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "interpreted.py"],
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    for kind, apart in said["apart"].items():
        for what, distance in apart.items():
            assert distance <= (0 if what == "tokens" else 4e-3), f"{kind}: {what} is {distance:g} apart"
    assert {name for name, times in said["called"].items() if times > 10} == {"flash_attn_varlen_func"}
    assert said["called"]["flash_attn_func"] == 4, "rows of one length lie as they are: two layers of two models"
    assert "pass over a window of 4 positions" in said["window"]
