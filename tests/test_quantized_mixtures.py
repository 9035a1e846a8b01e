"""Mixtures of experts under the quantizers: every expert is packed, under the names that files have for it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForCausalLM
from modelry.packed import PackedLinear
from modelry_registry import get_registry, resolve

SCHEMES: list[dict[str, Any]] = [
    {"quant_method": "int8"},
    {"quant_method": "int4", "group_size": 32},
    {"quant_method": "fp8"},
    {"quant_method": "gptq", "group_size": 32},
    {"quant_method": "awq", "group_size": 32},
]
FAMILIES = {"mixtral": "block_sparse_moe.experts.1.w3", "qwen3_moe": "mlp.experts.1.up_proj"}
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 96,
    "vocab_size": 64,
    "mlp_only_layers": [],
}
IDS = torch.arange(2 * 9).view(2, 9) % 64


def tiny(family: str, folder: Path) -> torch.Tensor:
    """Save a random model; returns its logits."""
    spec = get_registry().get("models", family)
    config_class: Any = resolve(spec.config)
    sizes = {key: value for key, value in SIZES.items() if key in config_class.model_fields}
    torch.manual_seed(0)
    model_class: Any = resolve(spec.heads["causal-lm"])
    model = model_class(config_class(**{**spec.tiny, **sizes, "initializer_range": 0.1})).eval()
    model.save_pretrained(folder)
    with torch.no_grad():
        logits: torch.Tensor = model(IDS).logits
    return logits


def said_by(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model.eval()(IDS).logits
    return logits


@pytest.mark.filterwarnings("ignore:fp8")  # says once that this processor does not compute in e4m3
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda one: one["quant_method"])
def test_experts_are_packed_and_saved_so(family: str, scheme: dict[str, Any], tmp_path: Path) -> None:
    expected = tiny(family, tmp_path / "float")
    packed = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=scheme)
    expert = packed.get_submodule("model.layers.1.mlp.experts.1")
    assert all(isinstance(part, PackedLinear) for part in expert.children() if hasattr(part, "weight"))
    logits = said_by(packed)
    assert (logits - expected).norm() < 0.5 * expected.norm()  # routers choose otherwise at times
    packed.save_pretrained(tmp_path / "packed")
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert any(name.startswith(f"model.layers.1.{FAMILIES[family]}.") for name in stored)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    assert said_by(again).equal(logits)
    tokens = again.generate(IDS, max_new_tokens=4, do_sample=False)
    assert tokens.equal(packed.generate(IDS, max_new_tokens=4, do_sample=False))


@pytest.mark.parametrize("family", FAMILIES)
def test_files_that_keep_all_experts_in_one_tensor(family: str, tmp_path: Path) -> None:
    tiny(family, tmp_path)
    expected = said_by(AutoModelForCausalLM.from_pretrained(tmp_path, quantization="int8"))
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name in [one for one in tensors if one.endswith("experts.gate_proj")]:
        up = name.replace("gate_proj", "up_proj")
        tensors[name.replace("gate_proj", "gate_up_proj")] = torch.cat([tensors.pop(name), tensors.pop(up)], 1)
    save_file(tensors, tmp_path / "model.safetensors")
    assert said_by(AutoModelForCausalLM.from_pretrained(tmp_path, quantization="int8")).equal(expected)


def test_an_expert_that_is_missing(tmp_path: Path) -> None:
    tiny("mixtral", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.layers.1.block_sparse_moe.experts.1.w3.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(Exception, match=r"layers\.1\.(mlp|block_sparse_moe)\.experts\.1\.(up_proj|w3)"):
        AutoModelForCausalLM.from_pretrained(tmp_path, quantization="int8")
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "mixtral"
