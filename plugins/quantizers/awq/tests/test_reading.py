"""Checkpoints as AWQ's tools write them compute what they stand for, and are written again as they were."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modelry import AutoModelForCausalLM
from modelry_testing.quantizing.written import stands_for

KINDS = [
    {},
    {"group_size": 64},
    {"group_size": -1},
    {"zero_point": False},
    {"zero_point": False, "with_zeros": False},
    {"bits": 8},
    {"keep": ("down_proj", "q_proj")},
    {"version": "gemv"},
    {"version": "gemv", "group_size": 64},
    {"version": "gemv", "group_size": -1, "zero_point": False},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_computes_what_it_stands_for(kind: dict, write: Callable, logits: Callable, ids: torch.Tensor) -> None:
    written = write(**kind)
    model = AutoModelForCausalLM.from_pretrained(written.folder, dtype=torch.float32)
    stands_for(model, written, expected=logits(written.weights), ids=ids)


@pytest.mark.parametrize("kind", [{}, {"version": "gemv"}, {"zero_point": False, "with_zeros": False}], ids=str)
def test_saved_as_it_was(kind: dict, write: Callable, tmp_path: Path, ids: torch.Tensor) -> None:
    written = write(**kind)
    model = AutoModelForCausalLM.from_pretrained(written.folder)
    model.save_pretrained(tmp_path / "again")
    before = load_file(written.folder / "model.safetensors")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before.keys() == after.keys()
    packed = [name for name in before if name.rpartition(".")[2] in ("qweight", "qzeros", "scales")]
    assert all(before[name].dtype == after[name].dtype and torch.equal(before[name], after[name]) for name in packed)
    said = json.loads((tmp_path / "again" / "config.json").read_text())["quantization_config"]
    assert said["version"] == kind.get("version", "gemm")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again")
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_dtypes(write: Callable, logits: Callable, ids: torch.Tensor, dtype: torch.dtype) -> None:
    written = write()
    model = AutoModelForCausalLM.from_pretrained(written.folder, dtype=dtype)
    expected = logits(written.weights)
    with torch.no_grad():
        found = model(input_ids=ids).logits
    assert found.dtype == dtype
    assert (found - expected).norm() / expected.norm() < (0.1 if dtype == torch.bfloat16 else 0.02)


def test_keys_that_choose_a_kernel_are_silent(write: Callable) -> None:
    said = {"do_fuse": False, "fuse_max_seq_len": None, "modules_to_fuse": None, "exllama_config": {"version": 2}}
    written = write(**said, backend="autoawq")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AutoModelForCausalLM.from_pretrained(written.folder)


def test_the_first_tools_names_of_keys(write: Callable) -> None:
    written = write(group_size=64)
    config = json.loads((written.folder / "config.json").read_text())
    said = {"quant_method": "awq", "w_bit": 4, "q_group_size": 64, "zero_point": True, "version": "GEMM"}
    (written.folder / "config.json").write_text(json.dumps({**config, "quantization_config": said}))
    model = AutoModelForCausalLM.from_pretrained(written.folder)
    assert (model.hf_quantizer.parameters.group_size, model.hf_quantizer.parameters.version) == (64, "gemm")
