"""A file or a configuration that lies gets an error that says where."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForCausalLM
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError

LAYER = "model.layers.0.mlp.down_proj"


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    said = {**config["quantization_config"], **changes}
    config["quantization_config"] = {key: value for key, value in said.items() if value != "left out"}
    (folder / "config.json").write_text(json.dumps(config))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    stored = load_file(folder / "model.safetensors")
    change(stored)
    save_file(stored, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bits": 8}, r"down_proj\.qweight is \(16, 64\) .*says bits 8 and group_size 32, which makes it \(32, 64\)"),
        ({"group_size": 64}, r"down_proj\.qzeros is \(4, 8\) .*group_size 64, which makes it \(2, 8\)"),
        ({"group_size": -1}, r"down_proj\.qzeros is \(4, 8\)"),
        ({"group_size": 48}, "128 inputs are no multiple of group_size 48"),
        ({"group_size": 16}, "group_size 16 is no multiple of 32"),
        ({"group_size": -2}, "group_size is -2"),
        ({"bits": 3}, "bits is 3"),
        ({"bits": "four"}, "bits is 'four'"),
        ({"checkpoint_format": "marlin"}, "checkpoint_format is 'marlin'"),
        ({"is_marlin_format": True}, "is_marlin_format is True"),
        ({"pack_dtype": "int16"}, "pack_dtype is 'int16'"),
        ({"dynamic": {"+:.*down_proj": {"bits": 8}}}, r"'\+:\.\*down_proj' bits 8, and the rest has 4"),
    ],
    ids=str,
)
def test_a_configuration_that_lies(write: Callable, changes: dict[str, object], said: str) -> None:
    written = write()
    edit_config(written.folder, **changes)
    with pytest.raises(QuantizationError, match=said):
        AutoModelForCausalLM.from_pretrained(written.folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda stored: stored.pop(f"{LAYER}.scales"), f"{LAYER} has a qweight and no scales"),
        (lambda stored: stored.update({f"{LAYER}.qweight": torch.zeros(16, 64)}), r"qweight is float32 .* not int32"),
        (lambda stored: stored.update({f"{LAYER}.scales": torch.ones(4, 64).int()}), r"scales is int32 .* not float16"),
        (lambda stored: stored.update({f"{LAYER}.g_idx": torch.zeros(64).int()}), r"g_idx is \(64,\)"),
        (lambda stored: stored.update({f"{LAYER}.g_idx": torch.full((128,), 7).int()}), f"{LAYER}: g_idx names groups"),
        (lambda stored: stored.update({f"{LAYER}.g_idx": -torch.ones(128).int()}), "g_idx names groups -1 to -1"),
        (lambda stored: stored.update({f"{LAYER}.g_idx": torch.zeros(128).int()}), "puts 128 inputs into group 0"),
        (
            lambda stored: stored.update({"model.norm.qweight": torch.zeros(8, 64).int()}),
            r"model\.norm\.qweight is stored, and LlamaForCausalLM has a RMSNorm",
        ),
        (
            lambda stored: stored.update({"model.layers.9.q_proj.qweight": torch.zeros(8, 64).int()}),
            r"layers\.9\.q_proj\.qweight is stored, and LlamaForCausalLM has nothing",
        ),
    ],
)
def test_tensors_that_lie(write: Callable, change: Callable, said: str) -> None:
    written = write()
    edit_tensors(written.folder, change)
    with pytest.raises(QuantizationError, match=said):
        AutoModelForCausalLM.from_pretrained(written.folder)


def test_a_missing_bias_and_a_missing_layer(write: Callable) -> None:
    written = write()
    edit_tensors(written.folder, lambda stored: stored.pop("model.layers.0.self_attn.q_proj.bias"))
    with pytest.raises(CheckpointError, match=r"missing: model\.layers\.0\.self_attn\.q_proj\.bias"):
        AutoModelForCausalLM.from_pretrained(written.folder)


def test_a_configuration_without_tensors_and_tensors_without_one(write: Callable, folder: Path) -> None:
    written = write()
    shutil.copy(written.folder / "config.json", folder / "config.json")
    with pytest.raises(QuantizationError, match="no layer of LlamaForCausalLM has a qweight"):
        AutoModelForCausalLM.from_pretrained(folder)
    config = json.loads((written.folder / "config.json").read_text())
    (written.folder / "config.json").write_text(json.dumps({**config, "quantization_config": None}))
    with pytest.raises(CheckpointError, match="qweight"):
        AutoModelForCausalLM.from_pretrained(written.folder)
    with pytest.raises(QuantizationError, match=r"packed already .*; load it without quantization="):
        AutoModelForCausalLM.from_pretrained(written.folder, quantization="gptq")


def test_what_only_a_file_can_have(folder: Path) -> None:
    for key, value in (
        ("desc_act", True),
        ("dynamic", {"-:.*q_proj": {}}),
        ("modules_in_block_to_quantize", [["mlp.up_proj"]]),
    ):
        with pytest.raises(QuantizationError, match=f"{key} can be read from a checkpoint"):
            AutoModelForCausalLM.from_pretrained(folder, quantization={"quant_method": "gptq", key: value})


def test_an_unknown_key_is_named_and_kept(write: Callable) -> None:
    written = write(surprise=1)
    with pytest.warns(ModelryWarning, match="gptq: surprise is not known here"):
        model = AutoModelForCausalLM.from_pretrained(written.folder)
    assert model.config.quantization_config["surprise"] == 1


def test_the_older_file_beside_the_configuration(write: Callable, ids: torch.Tensor) -> None:
    written = write()
    before = AutoModelForCausalLM.from_pretrained(written.folder)
    config = json.loads((written.folder / "config.json").read_text())
    said = config.pop("quantization_config")
    del said["quant_method"]
    (written.folder / "config.json").write_text(json.dumps(config))
    (written.folder / "quantize_config.json").write_text(json.dumps({**said, "model_file_base_name": "model"}))
    again = AutoModelForCausalLM.from_pretrained(written.folder)
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, before(input_ids=ids).logits)


def test_quantizing_what_is_quantized(write: Callable) -> None:
    written = write()
    with pytest.raises(QuantizationError, match="gptq already"):
        AutoModelForCausalLM.from_pretrained(written.folder, quantization="int4")
    with pytest.raises(QuantizationError, match="bits 4 and not 8"):
        AutoModelForCausalLM.from_pretrained(written.folder, quantization={"quant_method": "gptq", "bits": 8})
