"""The kernels that torch's compiler writes for GPUs, interpreted here: they say what eager attention says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from modelry_flex_attention.compiling import compiled

HERE = Path(__file__).resolve().parent
TRITON = HERE.parents[3] / ".venv" / "apart" / "flash"


@pytest.mark.skipif(not (TRITON / "triton").is_dir(), reason="`make .venv/flash` fetches Triton")
def test_outputs_and_gradients_are_eager_attentions(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, [str(TRITON), os.environ.get("PYTHONPATH")]))
    told = {"PYTHONPATH": path, "TRITON_INTERPRET": "1", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "interpreted.py"],
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert [len(found) for found in said.values()] == [4, 4, 4, 4]
    for case, found in said.items():
        assert max(found) < 1e-5, f"{case}: {found}"


def test_a_function_may_have_more_programs_than_torch_allows_by_itself() -> None:
    made: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> object:
        made.append(graph)
        return graph.forward

    scale = compiled(lambda x, by: x * by, backend=backend, dynamic=False)
    for by in range(2, 14):
        assert scale(torch.ones(2), by)[0] == by
    assert len(made) == 12, "each number is a program of its own"
