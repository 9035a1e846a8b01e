"""Which layers are meant, what is said once, adapters on top, and what contradicts itself is refused."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from modelry import AutoModel, AutoModelForCausalLM
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError
from modelry.packed import PackedLinear
from modelry_testing.edits import edit_config, read_tensors
from modelry_testing.quantizing.adapters import adapters_train
from modelry_testing.quantizing.generating import rows_say_the_same_alone

METHOD = {"quant_method": "compressed-tensors"}
INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
INT8 = {"num_bits": 8, "strategy": "channel"}
E4M3 = {"num_bits": 8, "type": "float", "strategy": "channel"}


def scheme(weights: object = INT4, *, targets: tuple[str, ...] = ("Linear",), **more: Any) -> dict[str, Any]:
    return {**METHOD, "config_groups": {"group_0": {"targets": list(targets), "weights": weights}}, **more}


def names(model: nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, PackedLinear)}


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=scheme({**INT4, "symmetric": False}))
    model.save_pretrained(tmp_path / "packed")
    return tmp_path / "packed"


def test_which_layers_are_meant(folder: Path) -> None:
    def meant(**more: Any) -> set[str]:
        return names(AutoModelForCausalLM.from_pretrained(folder, quantization=scheme(**more)))

    everything = meant(ignore=[])
    assert len(everything) == 15
    assert meant() == everything - {"lm_head"}
    assert meant(ignore=["lm_head", "re:.*mlp.*"]) == {name for name in everything if "attn" in name}
    assert meant(ignore=["model.layers.1.mlp.up_proj", "lm_head"]) == everything - {
        "lm_head",
        "model.layers.1.mlp.up_proj",
    }
    assert meant(targets=(r"re:model\.layers\.0\..*_proj$",)) == {name for name in everything if ".0." in name}
    assert meant(targets=("model.layers.1.mlp.up_proj",)) == {"model.layers.1.mlp.up_proj"}
    with pytest.raises(QuantizationError, match="found nothing to quantize"):
        meant(targets=("Conv1d",))
    with pytest.raises(QuantizationError, match=r"means model.embed_tokens, a "):
        meant(targets=("Linear", "model.embed_tokens"))


def test_a_full_name_goes_before_a_pattern_and_a_class(folder: Path, tmp_path: Path) -> None:
    groups = {
        "class": {"targets": ["Linear"], "weights": INT4},
        "pattern": {"targets": ["re:.*mlp"], "weights": {**INT8}, "format": "int-quantized"},
        "name": {"targets": ["model.layers.0.mlp.up_proj"], "weights": {**INT4, "symmetric": False}},
    }
    for group in ("class", "name"):
        groups[group]["format"] = "pack-quantized"
    wanted = {**METHOD, "format": "mixed-precision", "config_groups": groups}
    AutoModelForCausalLM.from_pretrained(folder, quantization=wanted).save_pretrained(tmp_path / "packed")
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    assert "model.layers.0.mlp.up_proj.weight_zero_point" in stored
    assert stored["model.layers.1.mlp.up_proj.weight"].dtype == torch.int8
    assert "model.layers.1.self_attn.q_proj.weight_packed" in stored
    assert len(names(AutoModelForCausalLM.from_pretrained(tmp_path / "packed"))) == 14


def test_a_base_model_of_the_file(packed: Path) -> None:
    base = AutoModel.from_pretrained(packed)
    assert len(names(base)) == 14


def test_layers_that_do_not_fit_stay_and_are_named_once(folder: Path, tmp_path: Path) -> None:
    asked = scheme({**INT4, "group_size": 64}, ignore=["lm_head"])
    with pytest.warns(ModelryWarning, match=r"stay as they are: model.layers.\*.mlp.down_proj \(2 times\)"):
        model = AutoModelForCausalLM.from_pretrained(folder, quantization=asked)
    assert len(names(model)) == 12
    model.save_pretrained(tmp_path / "packed")
    assert names(AutoModelForCausalLM.from_pretrained(tmp_path / "packed")) == names(model)
    assert names(AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization=asked)) == names(model)
    with pytest.raises(QuantizationError, match=r"with ignore \['lm_head', .* and not \['lm_head', 'q_proj'\]"):
        AutoModelForCausalLM.from_pretrained(
            tmp_path / "packed", quantization=asked | {"ignore": ["lm_head", "q_proj"]}
        )
    with pytest.raises(QuantizationError, match=r"no layer can be packed.*group_size 48 does not divide its 64 inputs"):
        AutoModelForCausalLM.from_pretrained(
            folder, quantization=scheme({**INT4, "group_size": 48}, ignore=["re:.*down"])
        )


def test_what_is_said_once(folder: Path) -> None:
    wanted = scheme(INT8, format="int-quantized")
    activations = {"num_bits": 8, "dynamic": True, "strategy": "token"}
    wanted["config_groups"]["group_0"]["input_activations"] = activations
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        AutoModelForCausalLM.from_pretrained(folder, quantization=wanted)
    (one,) = caught
    assert issubclass(one.category, ModelryWarning)
    assert "rounds activations too; here they stay in the model's dtype" in str(one.message)
    with pytest.warns(ModelryWarning, match="14 layers have their weights made whole for each product"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=scheme(E4M3, format="float-quantized"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_greedy_tokens_of_a_batch(packed: Path, dtype: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(packed, dtype=dtype)
    if dtype == "float32":
        rows_say_the_same_alone(model)
    else:
        ids = torch.tensor([[1, 5, 9, 20], [7, 3, 2, 8]])
        assert model.generate(ids, max_new_tokens=6, do_sample=False, eos_token_id=None).shape == (2, 10)


def test_adapters_train(packed: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(packed)
    adapters_train(model, names(model), torch.tensor([[1, 5, 9, 20, 7, 3, 2, 8]]))


def test_what_newer_files_have_none_of(packed: Path) -> None:
    """compressed-tensors 0.20 writes a key that is younger than this."""
    expected = AutoModelForCausalLM.from_pretrained(packed).state_dict()
    said = json.loads((packed / "config.json").read_text())["quantization_config"]
    edit_config(packed, quantization_config={**said, "moe_sparsity_config": None})
    found = AutoModelForCausalLM.from_pretrained(packed).state_dict()
    assert all(tensor.equal(expected[name]) for name, tensor in found.items())
    edit_config(packed, quantization_config={**said, "moe_sparsity_config": {"a": 1}})
    with pytest.raises(QuantizationError, match=r"moe_sparsity_config is .*not permitted"):
        AutoModelForCausalLM.from_pretrained(packed)


def test_files_and_configurations_that_contradict_each_other(packed: Path) -> None:
    up = "model.layers.0.mlp.up_proj"
    good, config = read_tensors(packed), json.loads((packed / "config.json").read_text())["quantization_config"]
    weights = config["config_groups"]["group_0"]["weights"]

    def refused(match: str, changes: dict[str, Tensor | None] | None = None, **said: Any) -> None:
        tensors = {**good, **(changes or {})}
        save_file({name: one for name, one in tensors.items() if one is not None}, packed / "model.safetensors")
        told = said.pop("told", None) or scheme({**weights, **said}, ignore=["lm_head"])
        edit_config(packed, quantization_config=told)
        with pytest.raises((QuantizationError, CheckpointError), match=match):
            AutoModelForCausalLM.from_pretrained(packed)

    refused(r"weight_packed is \(64, 8\) of int32 .* says num_bits 8 .*, which makes it \(64, 16\)", num_bits=8)
    refused("group_size 16 is no multiple of 32", group_size=16)
    refused("group_size 48 does not divide its 64 inputs", group_size=48)
    refused(r"weight_scale is \(64, 2\) .* strategy channel", strategy="channel", group_size=None)
    refused("has no weight_g_idx in the checkpoint, which config_groups.group_0 asks for", actorder="group")
    refused("not in the model: .*weight_zero_point", symmetric=True)
    refused("num_bits", num_bits=5)
    refused("has no weight in the checkpoint", told=scheme(INT8, format="int-quantized", ignore=["lm_head"]))
    refused("format", told=scheme(weights, format="fast-quantized"))
    refused("sparse weights are not read", told=scheme(weights, sparsity_config={"format": "sparse-bitmask"}))
    refused("format float-quantized holds float weights", told=scheme(weights, format="float-quantized"))
    refused("group_0 has no format of its own", told=scheme(weights, format="mixed-precision"))
    refused(r"missing: .*0\.mlp\.up_proj\.weight", {name: None for name in good if name.startswith(f"{up}.")})
    refused("up_proj has no weight_zero_point", {f"{up}.weight_zero_point": None})
    refused(
        r"up_proj.weight_shape says \[64, 96\], and the layer is \[96, 64\]",
        {f"{up}.weight_shape": torch.tensor([64, 96])},
    )
    refused("weight_scale is .* of int32", {f"{up}.weight_scale": good[f"{up}.weight_scale"].int()})
    backwards = (torch.arange(64, dtype=torch.int32) // 32).flip(0)
    every = {name.replace("_packed", "_g_idx"): None for name in good if name.endswith("weight_packed")}
    g_idx = {name: (torch.arange(96 if "down" in name else 64) // 32).int() for name in every}
    refused("g_idx names groups 5 to 6", {**g_idx, f"{up}.weight_g_idx": backwards + 5}, actorder="group")
    refused("group_size is 32", {**g_idx, f"{up}.weight_g_idx": backwards * 0}, actorder="group")
    save_file(good, packed / "model.safetensors")
    edit_config(packed, quantization_config=None)
    with pytest.raises(CheckpointError, match="weight_packed"):
        AutoModelForCausalLM.from_pretrained(packed)
    with pytest.raises(QuantizationError, match="has no quantization_config: give it the one"):
        AutoModelForCausalLM.from_pretrained(packed, quantization=scheme())
    edit_config(packed, quantization_config=config)
    with pytest.raises(QuantizationError, match="already"):
        AutoModelForCausalLM.from_pretrained(packed, quantization="int8")
    assert len(names(AutoModelForCausalLM.from_pretrained(packed))) == 14


STATIC = {"num_bits": 8, "dynamic": False, "strategy": "tensor"}


@pytest.mark.parametrize(
    ("match", "weights", "more"),
    [
        ("actorder group can be read", {**INT4, "actorder": "group"}, {}),
        ("strategy tensor can be read", {"num_bits": 8}, {"format": "int-quantized"}),
        ("packs no weights", None, {}),
        ("packs no weights", INT4, {"format": "dense"}),
        ("input_activations.dynamic is false", INT8, {"format": "int-quantized", "activations": STATIC}),
    ],
)
def test_what_takes_more_than_rounding(folder: Path, match: str, weights: object, more: dict[str, Any]) -> None:
    activations = more.get("activations")
    wanted = scheme(weights, **{key: one for key, one in more.items() if key != "activations"})
    if activations:
        wanted["config_groups"]["group_0"]["input_activations"] = activations
    with pytest.raises(QuantizationError, match=match):
        AutoModelForCausalLM.from_pretrained(folder, quantization=wanted)
    tensors = read_tensors(folder)
    tensors["model.layers.0.mlp.up_proj.weight"][0, 0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(QuantizationError, match=r"up_proj.weight has a value that is infinite or no number"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=scheme())
