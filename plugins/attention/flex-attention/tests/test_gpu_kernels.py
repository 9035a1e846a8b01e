"""The kernels that torch's compiler writes for GPUs, interpreted here: they say what eager attention says."""

from pathlib import Path

import pytest
import torch

from modelry_flex_attention.compiling import compiled
from modelry_testing.interpreting import MISSING, interpreted


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_outputs_and_gradients_are_eager_attentions(tmp_path: Path) -> None:
    said = interpreted(Path(__file__).with_name("interpreted.py"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
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
