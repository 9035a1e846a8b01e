"""Models are packed while they load, saved packed, and what contradicts itself is refused."""

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modelry import AutoConfig, AutoModelForCausalLM
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError
from modelry.packed import Int4Linear
from modelry_int4.quantizing import in_short
from modelry_testing.edits import edit_config
from modelry_testing.quantizing.generating import rows_say_the_same_alone
from modelry_testing.quantizing.keeping import same_bits
from modelry_testing.quantizing.resizing import vocabulary_grows
from modelry_testing.random_models import save_random

INT4 = {"quant_method": "int4"}


def names(model: torch.nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, Int4Linear)}


def test_what_is_packed(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization="int4")
    assert len(names(model)) == 14
    assert model.lm_head.weight is model.model.embed_tokens.weight
    everything = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT4, "modules_to_not_convert": []})
    assert names(everything) == names(model) | {"lm_head"}


def test_layers_that_do_not_fit_stay_and_are_named_once(folder: Path, tmp_path: Path) -> None:
    wanted = {**INT4, "group_size": 64}  # down_proj has 96 inputs
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = AutoModelForCausalLM.from_pretrained(folder, quantization=wanted)
    (one,) = caught
    assert issubclass(one.category, ModelryWarning)
    assert "no multiple of group_size 64 stay as they are: model.layers.*.mlp.down_proj (2 times)" in str(one.message)
    assert len(names(model)) == 12
    model.save_pretrained(tmp_path / "packed")
    with pytest.warns(ModelryWarning, match="down_proj"):
        again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    assert names(again) == names(model)


def test_names_in_short() -> None:
    assert in_short(["a.0.q", "a.1.q", "head"]) == "a.*.q (2 times), head"


@pytest.mark.parametrize("keep", [None, []])
def test_saved_and_loaded_bit_by_bit(folder: Path, tmp_path: Path, keep: list[str] | None) -> None:
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT4, "modules_to_not_convert": keep})
    packed.save_pretrained(tmp_path / "packed")
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert stored["model.layers.1.mlp.up_proj.weight"].shape == (96, 32)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    same_bits(packed, again)
    assert list(packed.state_dict()) == list(again.state_dict())
    assert again.config.quantization_config == packed.config.quantization_config
    assert again.config.quantization_config["group_size"] == 32


def test_greedy_tokens_of_a_batch(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization="int4")
    rows_say_the_same_alone(model)


def test_what_is_quantized_is_not_quantized_again(folder: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder, quantization="int4").save_pretrained(tmp_path / "packed")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization="int4")
    assert names(again), "the scheme may be named, it is packed once"
    with pytest.raises(QuantizationError, match=r"is int4 already, with .* load it without quantization="):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization={**INT4, "group_size": 64})
    edit_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(QuantizationError, match="is gptq already, not int4: load it without quantization="):
        AutoModelForCausalLM.from_pretrained(folder, quantization="int4")


@pytest.mark.parametrize("changes", [{"bits": 8}, {"group_size": 48}, {"group_size": -32}, {"group_size": "many"}])
def test_impossible_parameters(folder: Path, changes: dict[str, object]) -> None:
    (name,) = changes
    with pytest.raises(QuantizationError, match=name):
        AutoModelForCausalLM.from_pretrained(folder, quantization={**INT4, **changes})


def test_groups_that_fit_no_layer(folder: Path) -> None:
    with pytest.raises(
        QuantizationError, match="group_size 128 divides the inputs of no layer: they have 64, 96 inputs"
    ):
        AutoModelForCausalLM.from_pretrained(folder, quantization={**INT4, "group_size": 128})
    narrow = save_random(folder.parent / "narrow", "llama", hidden_size=24, intermediate_size=40)
    with pytest.raises(QuantizationError, match=r"24, 40 inputs\. Take another scheme$"):
        AutoModelForCausalLM.from_pretrained(narrow, quantization="int4")


def test_a_config_that_lies(folder: Path, tmp_path: Path) -> None:
    edit_config(folder, quantization_config=INT4)
    with pytest.raises(QuantizationError, match=r"and no layer of .* has a weight_scale_and_zero"):
        AutoModelForCausalLM.from_pretrained(folder)
    edit_config(folder, quantization_config=None)
    config = AutoConfig.from_pretrained(folder)
    assert config.quantization_config is None
    AutoModelForCausalLM.from_pretrained(folder, quantization="int4").save_pretrained(tmp_path / "packed")
    edit_config(tmp_path / "packed", quantization_config={**INT4, "group_size": 64})
    with pytest.raises(QuantizationError, match=r"down_proj is packed .* 96 inputs are no multiple of .* 64"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    some = {**INT4, "modules_to_not_convert": ["down_proj", "lm_head"]}
    AutoModelForCausalLM.from_pretrained(folder, quantization=some).save_pretrained(tmp_path / "packed")
    edit_config(tmp_path / "packed", quantization_config={**some, "group_size": 64})
    with pytest.raises(CheckpointError, match=r"\(2, 64, 2\) in the checkpoint, \(1, 64, 2\) in the model"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    edit_config(tmp_path / "packed", quantization_config=None)
    with pytest.raises(CheckpointError, match="quantized without a quantization_config"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")


def test_another_vocabulary(folder: Path, tmp_path: Path) -> None:
    vocabulary_grows(folder, tmp_path / "resized", scheme=INT4)
