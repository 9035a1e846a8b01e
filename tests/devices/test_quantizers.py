"""Packed models on some GPU: its kernels' layouts, and back; files that are read straight onto it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry import AutoModelForCausalLM
from modelry_testing.pretending import some_gpu

IDS = torch.tensor([[3, 9, 4, 7, 5], [8, 8, 6, 2, 11]])
BLOCKS: dict[str, Any] = {"weight_block_size": [128, 128]}


def _one_group(**weights: Any) -> dict[str, Any]:
    return {"config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}


SCHEMES: dict[str, tuple[dict[str, Any], str | None, float]] = {
    "int8": ({}, None, 0.02),
    "int4": ({}, "CudaLayout", 0.02),
    "gguf": ({"weight_type": "Q4_0"}, "CudaLayout", 0.02),
    "gptq": ({}, "CudaLayout", 0.02),
    "awq": ({}, "CudaLayout", 0.02),
    "compressed-tensors": (_one_group(num_bits=4, group_size=32, symmetric=False), "CudaLayout", 0.02),
    "fp8": ({}, None, 0.15),
    "fp8 blocks": (BLOCKS, None, 0.15),
}
"""Parameters, the layout on CUDA, and how far logits in bfloat16 may be from the CPU's: fp8 rounds its inputs there."""


@pytest.mark.filterwarnings("ignore::modelry.errors.ModelryWarning")
@pytest.mark.parametrize(("family", "scheme"), [*(("one_layer", name) for name in SCHEMES), ("mixtral", "int4")])
def test_packed_layers(family: str, scheme: str, tmp_path: Path, request: pytest.FixtureRequest, moved: Any) -> None:
    folder = request.getfixturevalue(family)
    parameters, layout, most = SCHEMES[scheme]
    wanted = {"quant_method": scheme.split()[0], **parameters}
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=wanted, dtype=torch.bfloat16)
    with torch.inference_mode():
        expected = model(IDS).logits
    stored = {name: one.clone() for name, one in model.state_dict().items()}
    model.save_pretrained(tmp_path)
    with some_gpu(), torch.inference_mode(False):
        model.to("cuda:0")
        laid = {type(module.layout).__name__ for module in model.modules() if hasattr(module, "layout")}
        assert laid == (set() if layout is None else {layout})
        assert _far(model, moved(IDS), expected) < most
        assert _different(model, stored) == []
        read = AutoModelForCausalLM.from_pretrained(tmp_path, device_map="cuda:0")
        assert {str(one.device) for one in read.state_dict().values()} == {"cuda:0"}
        assert _far(read, moved(IDS), expected) < most
        model.to("cpu")
    assert _different(model, stored) == []
    assert _far(model, IDS, expected) == 0


@pytest.mark.filterwarnings("ignore::modelry.errors.ModelryWarning")
def test_scales_of_another_dtype_than_the_model_s(one_layer: Path, tmp_path: Path, moved: Any) -> None:
    wanted = {"quant_method": "gguf", **SCHEMES["gguf"][0]}
    model = AutoModelForCausalLM.from_pretrained(one_layer, quantization=wanted, dtype=torch.float16)
    model.save_pretrained(tmp_path)
    with torch.inference_mode():
        expected = model(IDS).logits
    with some_gpu(), torch.inference_mode(False):
        read = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16, device_map="cuda:0")
        assert _far(read, moved(IDS), expected) < 0.02


def _far(model: Any, ids: Tensor, expected: Tensor) -> float:
    with torch.inference_mode():
        found = model(ids).logits.cpu().float()
    return float((found - expected.float()).norm() / expected.float().norm())


def _different(model: Any, stored: dict[str, Tensor]) -> list[str]:
    return [name for name, one in model.state_dict().items() if not torch.equal(one.cpu(), stored[name])]
