"""Models in e4m3: packed while they load, saved packed, trained through, and what contradicts itself is refused."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelry import AutoModelForCausalLM
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError
from modelry.packed import ScaledLinear
from modelry_testing.edits import edit_config, edit_tensors
from modelry_testing.quantizing.adapters import adapters_train
from modelry_testing.quantizing.generating import rows_say_the_same_alone
from modelry_testing.quantizing.keeping import same_bits

FP8 = {"quant_method": "fp8"}
BLOCKS = {**FP8, "weight_block_size": [32, 32]}
E4M3 = torch.float8_e4m3fn


def load(folder: Path, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fp8: .* made whole")
        return AutoModelForCausalLM.from_pretrained(folder, **options)


def names(model: nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, ScaledLinear)}


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    load(folder, quantization=BLOCKS).save_pretrained(tmp_path / "packed")
    return tmp_path / "packed"


def test_what_is_packed(folder: Path) -> None:
    model = load(folder, quantization="fp8")
    assert len(names(model)) == 14
    assert model.lm_head.weight is model.model.embed_tokens.weight
    some = load(folder, quantization={**FP8, "modules_to_not_convert": ["model.layers.0"]})
    assert names(some) == {name for name in names(model) if ".0." not in name} | {"lm_head"}
    assert names(load(folder, quantization={**FP8, "ignored_layers": ["model.layers.0"]})) == names(some)


def test_said_once(folder: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        AutoModelForCausalLM.from_pretrained(folder, quantization="fp8")
    (one,) = caught
    assert issubclass(one.category, ModelryWarning)
    assert "14 of 14 layers have their weights made whole for each product" in str(one.message)


@pytest.mark.parametrize("wanted", [FP8, BLOCKS, {**FP8, "weight_block_size": [128, 128]}])
def test_error_of_a_weight(folder: Path, wanted: dict[str, object]) -> None:
    """3 bits of fraction: no number is further away than 1/16 of itself, or half the smallest step of its block."""
    before, after = load(folder).state_dict(), load(folder, quantization=wanted)
    for name in names(after):
        layer = after.get_submodule(name)
        expected, found = before[f"{name}.weight"], layer.dequantized()
        step = float(expected.abs().max()) / 448 * 2**-9
        assert ((found - expected).abs() <= expected.abs() * (1 / 16 + 1e-6) + step).all()
        assert (found - expected).norm() < 0.04 * expected.norm()


@pytest.mark.parametrize("wanted", [FP8, BLOCKS])
def test_saved_and_loaded_bit_by_bit(folder: Path, tmp_path: Path, wanted: dict[str, object]) -> None:
    model = load(folder, quantization=wanted)
    model.save_pretrained(tmp_path / "packed")
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert stored["model.layers.1.mlp.up_proj.weight"].dtype == E4M3
    assert stored["model.layers.1.mlp.up_proj.weight_scale_inv"].shape == ((96, 1) if wanted is FP8 else (3, 2))
    again = load(tmp_path / "packed")
    same_bits(model, again)
    assert list(model.state_dict()) == list(again.state_dict())
    written = json.loads((tmp_path / "packed" / "config.json").read_text())["quantization_config"]
    assert written["weight_block_size"] == wanted.get("weight_block_size")
    assert again.config.quantization_config == model.config.quantization_config


def test_greedy_tokens_of_a_batch(folder: Path) -> None:
    model = load(folder, quantization="fp8")
    rows_say_the_same_alone(model)


@pytest.mark.parametrize("wanted", [FP8, BLOCKS])
def test_adapters_train(folder: Path, wanted: dict[str, object]) -> None:
    model = load(folder, quantization=wanted)
    adapters_train(model, names(model), torch.tensor([[1, 5, 9, 20, 7, 3, 2, 8]]))


def test_a_file_with_one_scale_a_tensor(packed: Path) -> None:
    """vLLM's names: weight_scale of one number, input_scale where activations are static."""
    tensors = {name: one.clone() for name, one in load_file(packed / "model.safetensors").items()}
    for name in [one for one in tensors if one.endswith("_scale_inv")]:
        del tensors[name]
        layer = name.removesuffix(".weight_scale_inv")
        tensors[f"{layer}.weight_scale"] = torch.tensor(0.01)
        tensors[f"{layer}.input_scale"] = torch.tensor(0.5)
    save_file(tensors, packed / "model.safetensors")
    edit_config(packed, quantization_config={**FP8, "activation_scheme": "static"})
    model = load(packed)
    layer = model.model.layers[0].mlp.up_proj
    assert torch.equal(layer.dequantized(), tensors["model.layers.0.mlp.up_proj.weight"].float() * 0.01)
    model.save_pretrained(packed)
    assert load_file(packed / "model.safetensors").keys() == tensors.keys()


def test_scales_that_are_powers_of_two(packed: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight_scale_inv"
    edit_tensors(packed, **{name: torch.full((3, 2), 0.25).to(torch.float8_e8m0fnu)})
    edit_config(packed, quantization_config={**BLOCKS, "scale_fmt": "ue8m0"})
    layer = load(packed).model.layers[0].mlp.up_proj
    assert torch.equal(layer.dequantized(), layer.numbers.float() * 0.25)


def test_files_and_configurations_that_contradict_each_other(folder: Path, packed: Path) -> None:
    up, scale = "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight_scale_inv"
    good = {name: one.clone() for name, one in load_file(packed / "model.safetensors").items()}
    config = json.loads((packed / "config.json").read_text())["quantization_config"]

    def refused(match: str, *, quantization_config: object = config, **changes: Tensor | None) -> None:
        edit_tensors(packed, **changes)
        edit_config(packed, quantization_config=quantization_config)
        with pytest.raises((QuantizationError, CheckpointError), match=match):
            load(packed)
        save_file(good, packed / "model.safetensors")

    refused(
        r"weight_block_size \[16, 32\], which makes it \(4, 3\)",
        quantization_config={**config, "weight_block_size": [16, 32]},
    )
    refused("Write the weight_block_size", quantization_config=FP8)
    refused("down_proj has no activation_scale", quantization_config={**config, "activation_scheme": "static"})
    refused("without a quantization_config", quantization_config=None)
    refused("without a weight_scale_inv or weight_scale", **{scale: None})
    refused(r"\(95, 64\) in the checkpoint, \(96, 64\) in the model", **{up: good[up][:95].clone()})
    refused("weight_scale_inv is int32", **{scale: torch.ones(3, 2, dtype=torch.int32)})
    refused("stored in e4m3, and LlamaForCausalLM has a", **{"model.embed_tokens.weight": torch.zeros(96, 64).to(E4M3)})
    refused("missing: .*up_proj.weight", **{up: None, scale: None})
    broken = good[up].clone()
    broken.view(torch.uint8)[3, 3] = 0x7F
    refused("up_proj.weight has a value that is no number", **{up: broken})
    edit_config(folder, quantization_config=FP8)
    with pytest.raises(QuantizationError, match="no weight of LlamaForCausalLM is stored in e4m3"):
        load(folder)
    edit_config(packed, quantization_config=None)
    with pytest.raises(QuantizationError, match="has no quantization_config"):
        load(packed, quantization=BLOCKS)
    edit_config(packed, quantization_config=config)
    with pytest.raises(QuantizationError, match="already"):
        load(packed, quantization="int8")
    assert len(names(load(packed))) == 14
