"""Checkpoints as GPTQ's tools write them compute what they stand for, and are written again as they were."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modelry import AutoModelForCausalLM
from modelry.packed.zero_point_linear import ZeroPointLinear
from modelry_testing.quantizing.written import stands_for

KINDS = [
    {},
    {"sym": False},
    {"sym": False, "version": 2},
    {"group_size": 64},
    {"group_size": -1},
    {"act_order": True},
    {"act_order": True, "sym": False, "static_groups": True, "true_sequential": True, "damp_percent": 0.1},
    {"bits": 8},
    {"bits": 8, "sym": False, "act_order": True, "version": 2},
    {"bits": 8, "group_size": -1, "sym": False},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_computes_what_it_stands_for(kind: dict, write: Callable, logits: Callable, ids: torch.Tensor) -> None:
    written = write(**kind)
    model = AutoModelForCausalLM.from_pretrained(written.folder)
    stands_for(model, written, expected=logits(written.weights), ids=ids)
    for _, layer in layers(model):
        assert (layer.order is not None) == kind.get("act_order", False) or layer.groups == 1


@pytest.mark.parametrize("kind", [{"sym": False}, {"act_order": True}, {"bits": 8, "act_order": True}], ids=str)
def test_saved_as_it_was(kind: dict, write: Callable, tmp_path: Path, ids: torch.Tensor) -> None:
    written = write(**kind)
    model = AutoModelForCausalLM.from_pretrained(written.folder)
    model.save_pretrained(tmp_path / "again")
    before = load_file(written.folder / "model.safetensors")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(before[name].dtype == after[name].dtype and torch.equal(before[name], after[name]) for name in before)
    said = json.loads((written.folder / "config.json").read_text())["quantization_config"]
    assert said.items() <= json.loads((tmp_path / "again" / "config.json").read_text())["quantization_config"].items()
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again")
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bits", [4, 8])
def test_other_dtypes(write: Callable, logits: Callable, ids: torch.Tensor, dtype: torch.dtype, bits: int) -> None:
    written = write(bits=bits, sym=False)
    model = AutoModelForCausalLM.from_pretrained(written.folder, dtype=dtype)
    expected = logits(written.weights)
    with torch.no_grad():
        found = model(input_ids=ids).logits
        assert found.dtype == dtype
        assert (found - expected).norm() / expected.norm() < (0.1 if dtype == torch.bfloat16 else 0.02)
        again = model.float()(input_ids=ids).logits
    assert all(torch.equal(layer.dequantized(), written.weights[name]) for name, layer in layers(model))
    assert (again - expected).norm() / expected.norm() < 0.05


def layers(model: torch.nn.Module) -> list[tuple[str, ZeroPointLinear]]:
    return [(name, part) for name, part in model.named_modules() if isinstance(part, ZeroPointLinear)]


def test_keys_that_choose_a_kernel_are_silent(write: Callable) -> None:
    written = write(use_exllama=True, exllama_config={"version": 2}, backend="marlin", meta={"quantizer": ["some:1"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AutoModelForCausalLM.from_pretrained(written.folder)


def test_only_what_the_file_has_packed(write: Callable, folder: Path, logits: Callable, ids: torch.Tensor) -> None:
    """A layer that its tool left alone, which no key says, is a float layer."""
    from safetensors.torch import save_file

    written, name = write(), "model.layers.0.mlp.down_proj"
    stored = load_file(written.folder / "model.safetensors")
    stored = {key: one for key, one in stored.items() if not key.startswith(f"{name}.")}
    stored[f"{name}.weight"] = load_file(folder / "model.safetensors")[f"{name}.weight"]
    save_file(stored, written.folder / "model.safetensors")
    model = AutoModelForCausalLM.from_pretrained(written.folder)
    assert type(model.get_submodule(name)) is not ZeroPointLinear
    del written.weights[name]
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, logits(written.weights), rtol=1e-3, atol=1e-3)


def test_without_g_idx(write: Callable, logits: Callable, ids: torch.Tensor) -> None:
    from safetensors.torch import save_file

    written = write()
    stored = load_file(written.folder / "model.safetensors")
    stored = {key: one for key, one in stored.items() if not key.endswith("g_idx")}
    save_file(stored, written.folder / "model.safetensors")
    model = AutoModelForCausalLM.from_pretrained(written.folder)
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, logits(written.weights), rtol=1e-3, atol=1e-3)
