"""A .gguf file stays packed when it is loaded, saved and loaded again; what contradicts itself is refused."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType as Type
from torch import nn

from modelry import AutoModel, AutoModelForCausalLM
from modelry.checkpoint.planning import make_plan
from modelry.errors import CheckpointError, ModelryWarning, PlacementError, QuantizationError
from modelry.packed import GroupedInt8Linear, Int4Linear
from modelry_gguf import GgufParameters, GgufQuantizer
from modelry_testing.quantizing.keeping import same_bits

IDS = torch.randint(0, 320, (2, 9), generator=torch.Generator().manual_seed(1))


def layers(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}


@pytest.mark.parametrize("kind", [Type.Q4_0, Type.Q4_1, Type.Q8_0], ids=lambda kind: kind.name)
@pytest.mark.parametrize("tied", [True, False])
def test_packed_weights_are_those_of_the_file(
    tmp_path: Path, write_model: Callable[..., Any], kind: Type, tied: bool
) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=kind, tie_word_embeddings=tied)
    packed = AutoModelForCausalLM.from_pretrained(path, quantization="gguf", dtype="float32")
    plain = AutoModelForCausalLM.from_pretrained(path, dtype="float32")
    for name, layer in layers(plain).items():
        found = packed.get_submodule(name)
        assert type(found) is (GroupedInt8Linear if kind == Type.Q8_0 else Int4Linear)
        assert torch.equal(found.dequantized(), layer.weight), name
    with torch.inference_mode():
        torch.testing.assert_close(packed(IDS).logits, plain(IDS).logits, rtol=1e-5, atol=1e-4)
    assert packed.config.quantization_config == {
        "quant_method": "gguf", "weight_type": kind.name, "other_types": {}, "modules_to_not_convert": [],
    }  # fmt: skip


@pytest.mark.parametrize("quantization", ["gguf", None], ids=["packed", "float"])
def test_layers_of_a_file_may_stay_on_disk(
    tmp_path: Path, write_model: Callable[..., Any], quantization: str | None
) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_0)
    options = {"quantization": quantization, "dtype": "float32"}
    in_memory = AutoModelForCausalLM.from_pretrained(path, **options)
    with pytest.raises(PlacementError, match="give offload_folder, where"):
        AutoModelForCausalLM.from_pretrained(path, device_map={"": "cpu", "model.layers": "disk"}, **options)
    on_disk = AutoModelForCausalLM.from_pretrained(path, device_map="disk", offload_folder=tmp_path / "disk", **options)
    with torch.inference_mode():
        assert torch.equal(on_disk(IDS).logits, in_memory(IDS).logits)
    plan = make_plan(path, memory={torch.device("cpu"): "1GB"}, **options)
    assert plan.size == sum({one.data_ptr(): one.nbytes for one in in_memory.state_dict().values()}.values())


def test_saved_packed_and_loaded_bit_by_bit(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_1)
    for dtype in ("float32", "bfloat16"):
        packed = AutoModelForCausalLM.from_pretrained(path, quantization="gguf", dtype=dtype)
        packed.save_pretrained(tmp_path / dtype)
        again = AutoModelForCausalLM.from_pretrained(tmp_path / dtype)
        ours, theirs = packed.state_dict(), again.state_dict()
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert packed.lm_head.weight_scale_and_zero.dtype == getattr(torch, dtype)
        with torch.inference_mode():
            assert torch.equal(packed(IDS).logits, again(IDS).logits)


def test_other_types_are_floats_and_said_once(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=lambda name: Type.Q5_1 if "attn_k." in name else Type.Q4_0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = AutoModelForCausalLM.from_pretrained(path, quantization="gguf", dtype="float32")
    (one,) = caught
    assert issubclass(one.category, ModelryWarning)
    assert "layers of type Q5_1 (2 times) have no packed product and are kept in float32" in str(one.message)
    key = model.model.layers[1].self_attn.k_proj
    assert not isinstance(key, Int4Linear)
    plain = AutoModelForCausalLM.from_pretrained(path, dtype="float32")
    assert torch.equal(key.weight, plain.model.layers[1].self_attn.k_proj.weight)
    model.save_pretrained(tmp_path / "saved")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    with torch.inference_mode():
        assert torch.equal(model(IDS).logits, again(IDS).logits)


def test_a_base_model_alone(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_0)
    model = AutoModel.from_pretrained(path, quantization="gguf")
    assert all(isinstance(layer, Int4Linear) for layer in layers(model).values())
    assert model.dtype == torch.bfloat16


def test_biases_stay(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_1, attention_bias=True, mlp_bias=True)
    packed = AutoModelForCausalLM.from_pretrained(path, quantization="gguf", dtype="float32")
    plain = AutoModelForCausalLM.from_pretrained(path, dtype="float32")
    with torch.inference_mode():
        torch.testing.assert_close(packed(IDS).logits, plain(IDS).logits, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", [Type.F16, Type.Q6_K], ids=lambda kind: kind.name)
def test_a_file_with_nothing_to_keep_packed(tmp_path: Path, write_model: Callable[..., Any], kind: Type) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=kind)
    with pytest.raises(
        QuantizationError, match=rf"no layer of type Q4_0, Q4_1 or Q8_0.* it has {kind.name} \(15 times"
    ):
        AutoModelForCausalLM.from_pretrained(path, quantization="gguf")


def test_layers_of_other_types_under_other_heads(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    """The base model inside, whose names are shorter and which has no lm_head."""
    write_model(tmp_path / "tiny.gguf", kind=Type.F32)
    others = {"lm_head": "Q8_0", "model.layers.1.mlp.up_proj": "Q8_0"}
    wanted = {"quant_method": "gguf", "weight_type": "Q4_0", "other_types": others, "modules_to_not_convert": []}
    AutoModelForCausalLM.from_pretrained(tmp_path / "tiny.gguf").save_pretrained(tmp_path / "float")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=wanted)
    whole.save_pretrained(tmp_path / "packed")
    inside = AutoModel.from_pretrained(tmp_path / "packed")
    same_bits(whole.model, inside)
    inside.save_pretrained(tmp_path / "inside")
    same_bits(inside, AutoModel.from_pretrained(tmp_path / "inside"))


def test_what_contradicts_the_file(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_0)
    with pytest.raises(QuantizationError, match="blocks have types already"):
        AutoModelForCausalLM.from_pretrained(path, quantization={"quant_method": "gguf", "weight_type": "Q8_0"})
    quantizer = GgufQuantizer(GgufParameters())
    for _ in range(2):
        AutoModelForCausalLM.from_pretrained(path, quantization=quantizer)
    AutoModelForCausalLM.from_pretrained(path, dtype="float32").save_pretrained(tmp_path / "float")
    with pytest.raises(QuantizationError, match="say which blocks it shall be packed as"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization="gguf")
    wrong = {"quant_method": "gguf", "weight_type": "Q4_0", "other_types": {"lm_tail": "Q8_0"}}
    with pytest.raises(QuantizationError, match="other_types names lm_tail"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=wrong)
    AutoModelForCausalLM.from_pretrained(path, quantization="gguf").save_pretrained(tmp_path / "packed")
    with pytest.raises((QuantizationError, CheckpointError), match="gguf"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization="int8")


def test_a_config_that_lies(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path, folder = tmp_path / "tiny.gguf", tmp_path / "packed"
    write_model(path, kind=Type.Q4_0)
    AutoModelForCausalLM.from_pretrained(path, quantization="gguf").save_pretrained(folder)
    values = json.loads((folder / "config.json").read_text())
    values["quantization_config"]["weight_type"] = "Q8_0"
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="weight"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        (b"llama.attention.key_length\x04\0\0\0\x40", b"llama.attention.key_length\x04\0\0\0\x50", "in the model"),
        (b"llama.feed_forward_length\x04\0\0\0\0\x01", b"llama.feed_forward_length\x04\0\0\0\0\x02", "up_proj"),
    ],
)
def test_shapes_that_lie(
    tmp_path: Path, write_model: Callable[..., Any], key: bytes, wrong: bytes, message: str
) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_0)
    raw = path.read_bytes()
    assert key in raw
    path.write_bytes(raw.replace(key, wrong))
    with pytest.raises(CheckpointError, match=message):
        AutoModelForCausalLM.from_pretrained(path, quantization="gguf")
