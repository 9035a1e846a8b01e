"""Models are packed while they load, saved packed, and what contradicts itself is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForCausalLM
from modelry.errors import CheckpointError, QuantizationError
from modelry.packed import Int8Linear
from modelry_testing.edits import edit_config
from modelry_testing.quantizing.generating import rows_say_the_same_alone
from modelry_testing.quantizing.keeping import same_bits
from modelry_testing.quantizing.resizing import vocabulary_grows

INT8 = {"quant_method": "int8"}


def names(model: torch.nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, Int8Linear)}


def test_what_is_packed(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization="int8")
    assert len(names(model)) == 14
    assert model.lm_head.weight is model.model.embed_tokens.weight
    everything = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, "modules_to_not_convert": []})
    assert names(everything) == names(model) | {"lm_head"}
    some = {**INT8, "modules_to_not_convert": ["model.layers.0", "down_proj"]}
    chosen = names(AutoModelForCausalLM.from_pretrained(folder, quantization=some))
    assert chosen == {name for name in names(everything) if ".0." not in name and "down_proj" not in name}


@pytest.mark.parametrize("keep", [None, [], ["model.layers.0"]])
def test_saved_and_loaded_bit_by_bit(folder: Path, tmp_path: Path, keep: list[str] | None) -> None:
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, "modules_to_not_convert": keep})
    packed.save_pretrained(tmp_path / "packed")
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert stored["model.layers.1.mlp.up_proj.weight"].dtype == torch.int8
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    same_bits(packed, again)
    assert list(packed.state_dict()) == list(again.state_dict())
    assert again.config.quantization_config == packed.config.quantization_config
    assert again.config.quantization_config["quant_method"] == "int8"


def test_greedy_tokens_of_a_batch(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization="int8")
    rows_say_the_same_alone(model)


def test_what_is_quantized_is_not_quantized_again(folder: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder, quantization="int8").save_pretrained(tmp_path / "packed")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization="int8")
    assert names(again), "the scheme may be named, it is packed once"
    with pytest.raises(QuantizationError, match=r"is int8 already, with .* load it without quantization="):
        AutoModelForCausalLM.from_pretrained(
            tmp_path / "packed", quantization={**INT8, "modules_to_not_convert": ["q_proj"]}
        )
    edit_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(QuantizationError, match="is gptq already, not int8: load it without quantization="):
        AutoModelForCausalLM.from_pretrained(folder, quantization="int8")


def test_a_config_that_lies(folder: Path, tmp_path: Path) -> None:
    edit_config(folder, quantization_config=INT8)
    with pytest.raises(QuantizationError, match=r"says quant_method int8, and no layer of .* has a weight_scale"):
        AutoModelForCausalLM.from_pretrained(folder)
    edit_config(folder, quantization_config={**INT8, "bits": 4})
    with pytest.raises(QuantizationError, match="bits is 4"):
        AutoModelForCausalLM.from_pretrained(folder)
    edit_config(folder, quantization_config=None)
    AutoModelForCausalLM.from_pretrained(folder, quantization="int8").save_pretrained(tmp_path / "packed")
    edit_config(tmp_path / "packed", quantization_config=None)
    with pytest.raises(CheckpointError, match="quantized without a quantization_config"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")


def test_another_vocabulary(folder: Path, tmp_path: Path) -> None:
    vocabulary_grows(folder, tmp_path / "resized", scheme=INT8)


def test_files_whose_integers_lie_anywhere(folder: Path, tmp_path: Path) -> None:
    """Other tools' headers end at multiples of 8, and PyTorch's kernel wants 16: in bfloat16 the process ended."""
    ids = torch.tensor([[3, 5, 7, 11, 2]])
    packed = AutoModelForCausalLM.from_pretrained(folder, quantization="int8", dtype="bfloat16")
    packed.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for length in (1, 9):
        save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt", "more": "x" * length})
        again = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert {part.weight.data_ptr() % 16 for part in again.modules() if isinstance(part, Int8Linear)} == {0}
        assert again(ids).logits.equal(packed(ids).logits)


def test_scales_that_are_no_numbers(folder: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder, quantization="int8").save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight_scale"][3] = float("nan")
    save_file(tensors, tmp_path / "model.safetensors")
    for device_map in (None, "disk"):
        with pytest.raises(QuantizationError, match=r"layers\.1\.mlp\.up_proj\.weight_scale .* infinite or no number"):
            AutoModelForCausalLM.from_pretrained(tmp_path, device_map=device_map, offload_folder=tmp_path / "disk")
