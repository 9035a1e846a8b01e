"""A file or a configuration that lies gets an error that says where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForCausalLM
from modelry.errors import ModelryWarning, QuantizationError

LAYER = "model.layers.0.mlp.down_proj"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bits": 8}, r"down_proj\.qweight is \(128, 8\) .*says bits 8 and group_size 32, which makes it \(128, 16\)"),
        ({"group_size": 64}, r"down_proj\.qzeros is \(4, 8\) .*group_size 64, which makes it \(2, 8\)"),
        ({"version": "gemv"}, r"down_proj\.qweight is \(128, 8\) .*which makes it \(64, 16\)"),
        ({"group_size": 48}, "128 inputs are no multiple of group_size 48"),
        ({"group_size": 0}, "group_size is 0"),
        ({"bits": 2}, "bits is 2"),
        ({"bits": 8, "version": "gemv"}, "bits is 8; the layout of version gemv has 4"),
        ({"version": "gemv_fast"}, "version is 'gemv_fast'"),
        ({"zero_point": "perhaps"}, "zero_point is 'perhaps'"),
    ],
    ids=str,
)
def test_a_configuration_that_lies(write: Callable, changes: dict[str, object], said: str) -> None:
    written = write()
    config = json.loads((written.folder / "config.json").read_text())
    config["quantization_config"].update(changes)
    (written.folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(QuantizationError, match=said):
        AutoModelForCausalLM.from_pretrained(written.folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda stored: stored.pop(f"{LAYER}.scales"), f"{LAYER} has a qweight and no scales"),
        (lambda stored: stored.pop(f"{LAYER}.qzeros"), f"{LAYER} has a qweight and no qzeros"),
        (lambda stored: stored.update({f"{LAYER}.qzeros": torch.zeros(4, 8)}), r"qzeros is float32 .* not int32"),
        (lambda stored: stored.update({f"{LAYER}.scales": torch.ones(64, 4)}), r"scales is \(64, 4\)"),
    ],
)
def test_tensors_that_lie(write: Callable, change: Callable[[dict[str, torch.Tensor]], Any], said: str) -> None:
    written = write()
    stored = load_file(written.folder / "model.safetensors")
    change(stored)
    save_file(stored, written.folder / "model.safetensors")
    with pytest.raises(QuantizationError, match=said):
        AutoModelForCausalLM.from_pretrained(written.folder)


def test_quantizing_what_is_quantized(write: Callable) -> None:
    written = write()
    with pytest.raises(QuantizationError, match="awq already"):
        AutoModelForCausalLM.from_pretrained(written.folder, quantization="int4")


def test_packing_layers_that_do_not_fit(folder: Path) -> None:
    wanted = {"quant_method": "awq", "group_size": 48}
    with pytest.raises(QuantizationError, match=r"no layer can be packed: .*no multiple of group_size 48"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=wanted)


def test_an_unknown_key_is_named_and_kept(write: Callable) -> None:
    written = write(surprise=1)
    with pytest.warns(ModelryWarning, match="awq: surprise is not known here"):
        model = AutoModelForCausalLM.from_pretrained(written.folder)
    assert model.config.quantization_config["surprise"] == 1
