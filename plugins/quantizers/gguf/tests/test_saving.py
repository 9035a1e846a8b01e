"""What save_gguf writes is read alike by the gguf package and by our own reader; packed blocks come back bit by bit."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

from modelry import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from modelry.errors import CheckpointError, ModelryWarning, QuantizationError
from modelry_gguf import save_gguf

IDS = torch.randint(0, 320, (2, 9), generator=torch.Generator().manual_seed(1))
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]


def stored(path: Path) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def float_model(tmp_path: Path, write_model: Callable[..., Any], **values: Any) -> Any:
    write_model(tmp_path / "float.gguf", **values)
    return AutoModelForCausalLM.from_pretrained(tmp_path / "float.gguf", dtype="float32")


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("tied", [True, False])
def test_tensors_are_those_of_the_gguf_package(
    tmp_path: Path, write_model: Callable[..., Any], type_name: str, tied: bool
) -> None:
    """The file that `write_model` makes with the gguf package, type by type; the vocabulary apart, which has 8 bits."""
    model = float_model(tmp_path, write_model, tie_word_embeddings=tied)
    path = save_gguf(model, None, tmp_path / "ours.gguf", type=type_name)
    kind = lambda name: Type.Q8_0 if name.startswith(("token", "output")) and "4" in type_name else Type[type_name]  # noqa: E731  one line of a table
    write_model(tmp_path / "theirs.gguf", kind=kind, tie_word_embeddings=tied)
    ours, theirs = stored(path), stored(tmp_path / "theirs.gguf")
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.tensor_type == theirs[name].tensor_type, name
        assert np.array_equal(tensor.data, theirs[name].data), name
        assert tensor.data_offset % 32 == 0
    again = AutoModelForCausalLM.from_pretrained(path, dtype="float32")
    if type_name == "F32":
        assert all(torch.equal(one, again.state_dict()[name]) for name, one in model.state_dict().items())


@pytest.mark.parametrize("kind", [Type.Q4_0, Type.Q4_1, Type.Q8_0], ids=lambda kind: kind.name)
@pytest.mark.parametrize("tied", [True, False])
def test_packed_blocks_come_back_bit_by_bit(
    tmp_path: Path, write_model: Callable[..., Any], kind: Type, tied: bool
) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=kind, tie_word_embeddings=tied)
    packed = AutoModelForCausalLM.from_pretrained(path, quantization="gguf", dtype="float32")
    again = stored(save_gguf(packed, None, tmp_path / "again.gguf"))
    for name, tensor in stored(path).items():
        if name != "token_embd.weight" or tied:  # an embedding of its own is float in memory
            assert again[name].tensor_type == tensor.tensor_type, name
            assert np.array_equal(again[name].data, tensor.data), name


def test_packed_as_another_type(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path, kind=Type.Q4_1)
    packed = AutoModelForCausalLM.from_pretrained(path, quantization="gguf", dtype="float32")
    save_gguf(packed, None, tmp_path / "f32.gguf", type="F32")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "f32.gguf", dtype="float32")
    plain = AutoModelForCausalLM.from_pretrained(path, dtype="float32")
    assert all(torch.equal(one, again.state_dict()[name]) for name, one in plain.state_dict().items())


@pytest.mark.parametrize(("quantization", "type_name"), [("int4", None), ("int8", "Q8_0")])
def test_other_schemes(tmp_path: Path, write_model: Callable[..., Any], quantization: str, type_name: Any) -> None:
    """int4 has blocks of its own; int8 goes by way of floats."""
    write_model(tmp_path / "float.gguf")
    packed = AutoModelForCausalLM.from_pretrained(tmp_path / "float.gguf", quantization=quantization, dtype="float32")
    path = save_gguf(packed, None, tmp_path / "ours.gguf", type=type_name)
    again = AutoModelForCausalLM.from_pretrained(path, dtype="float32")
    with torch.inference_mode():
        expected, found = packed(IDS).logits, again(IDS).logits
    assert (found - expected).norm() / expected.norm() < 0.02
    if quantization == "int8":
        with pytest.raises(QuantizationError, match="packed as Int8Linear, which has no block type: give type="):
            save_gguf(packed, None, tmp_path / "no.gguf")
        assert not (tmp_path / "no.gguf").exists()


def test_biases_and_the_models_own_dtype(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    model = float_model(tmp_path, write_model, attention_bias=True, mlp_bias=True).bfloat16()
    again = AutoModelForCausalLM.from_pretrained(save_gguf(model, None, tmp_path / "ours.gguf"))
    assert again.dtype == torch.bfloat16
    assert all(torch.equal(one, again.state_dict()[name]) for name, one in model.state_dict().items())


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "linear", "factor": 4.0},
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
        {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 128,
        },
    ],
    ids=lambda rope: rope["rope_type"],
)  # fmt: skip
def test_scaled_positions(tmp_path: Path, write_model: Callable[..., Any], rope: dict[str, Any]) -> None:
    plain = float_model(tmp_path, write_model)
    values = {**plain.config.to_dict(), "rope_parameters": {"rope_theta": 10000.0, **rope}}
    values.pop("model_type")
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **values))
    again = AutoModelForCausalLM.from_pretrained(save_gguf(model, None, tmp_path / "ours.gguf"))
    assert again.config.to_dict()["rope_parameters"] == model.config.to_dict()["rope_parameters"]
    with torch.inference_mode():
        assert torch.equal(again(IDS).logits, model(IDS).logits)


def test_positions_without_a_form(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    plain = float_model(tmp_path, write_model)
    rope = {"rope_theta": 10000.0, "rope_type": "dynamic", "factor": 2.0}
    values = {**plain.config.to_dict(), "rope_parameters": rope}
    values.pop("model_type")
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **values))
    with pytest.raises(CheckpointError, match=r"rope_type 'dynamic' with factor.* have no GGUF form"):
        save_gguf(model, None, tmp_path / "ours.gguf")


def test_rows_that_are_no_whole_blocks_are_written_as_f16(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    model = float_model(tmp_path, write_model, intermediate_size=80)
    with pytest.warns(ModelryWarning, match=r"written as F16: model\.layers\.\*\.mlp\.down_proj \(2 times\)"):
        path = save_gguf(model, None, tmp_path / "ours.gguf", type="Q4_0")
    assert stored(path)["blk.1.ffn_down.weight"].tensor_type == Type.F16
    assert AutoModelForCausalLM.from_pretrained(path).dtype == torch.bfloat16


def test_what_cannot_be_written(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    model = float_model(tmp_path, write_model)
    out = tmp_path / "out.gguf"
    with pytest.raises(QuantizationError, match="type is 'Q5_K'; Q4_0, Q4_1, Q8_0, F16, BF16, F32 can be written"):
        save_gguf(model, None, out, type="Q5_K")
    with pytest.raises(CheckpointError, match="no head for the next token; load LlamaForCausalLM"):
        save_gguf(AutoModel.from_pretrained(tmp_path / "float.gguf"), None, out)
    model.model.layers[0].mlp.up_proj.adapter = torch.nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match=r"up_proj\.adapter\.bias, .* has no name in a GGUF file"):
        save_gguf(model, None, out)
    del model.model.layers[0].mlp.up_proj.adapter
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = float("inf")
    out.write_bytes(b"older")
    with pytest.raises(QuantizationError, match=r"layers\.0\.mlp\.up_proj\.weight has a value that is infinite"):
        save_gguf(model, None, out, type="Q4_0")
    assert out.read_bytes() == b"older"
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []
    model.config.__dict__["model_type"] = "mamba"
    with pytest.raises(CheckpointError, match="type 'mamba' has no GGUF form here; llama, qwen2, qwen3 have one"):
        save_gguf(model, None, out)


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
def test_a_tokenizer_comes_back(
    tmp_path: Path, write_model: Callable[..., Any], request: pytest.FixtureRequest, kind: str, texts: list[str]
) -> None:
    facts = request.getfixturevalue(f"{kind}_tokenizer")
    size = len(facts["tokenizer.ggml.tokens"]) + 3
    facts = {**facts, "tokenizer.chat_template": "{{ messages }}"}
    model = write_model(tmp_path / "float.gguf", tokenizer=facts, vocab_size=size)
    del model
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "float.gguf", dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "float.gguf")
    path = save_gguf(model, tokenizer, tmp_path / "ours.gguf", type="F16")
    again = AutoTokenizer.from_pretrained(path)
    for text in texts:
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"], repr(text)
    assert again.chat_template == tokenizer.chat_template
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert len(gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()) == size
