"""transformers loads what we save and we load what it saves, bit by bit: one file and shards, tied and not."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelry import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, GenerationConfig

VALUES = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 2.0},
    "eos_token_id": [2, 3],
    "pad_token_id": None,
}

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def same(one: torch.nn.Module, other: torch.nn.Module) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype
        assert tensor.equal(theirs[name]), name


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard", ["10GB", 5000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_they_load_what_we_save(tmp_path: Path, tied: bool, shard: Any, dtype: torch.dtype) -> None:
    config = AutoConfig.for_model("llama", **VALUES, tie_word_embeddings=tied)
    ours = AutoModelForCausalLM.from_config(config, dtype=dtype)
    ours.generation_config = GenerationConfig(max_new_tokens=9, eos_token_id=[2, 3])
    ours.save_pretrained(tmp_path, max_shard_size=shard)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    same(ours, theirs)
    assert theirs.dtype == dtype
    assert theirs.config.eos_token_id == [2, 3]
    assert theirs.config.pad_token_id is None
    assert theirs.config.tie_word_embeddings is tied
    assert theirs.config.rope_parameters["factor"] == 2.0
    assert theirs.generation_config.max_new_tokens == 9


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard", ["10GB", 5000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_we_load_what_they_save(tmp_path: Path, tied: bool, shard: Any, dtype: torch.dtype) -> None:
    config = transformers.LlamaConfig(**VALUES, tie_word_embeddings=tied)
    theirs = transformers.LlamaForCausalLM(config).to(dtype)
    theirs.generation_config.max_new_tokens = 9
    theirs.save_pretrained(tmp_path, max_shard_size=shard)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path)
    same(ours, theirs)
    assert ours.dtype == dtype
    assert ours.generation_config.max_new_tokens == 9
    same(AutoModel.from_pretrained(tmp_path), theirs.model)


def test_there_and_back_again(tmp_path: Path) -> None:
    """The files of a second round are those of the first, byte by byte."""
    theirs = transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**VALUES, num_labels=3))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = AutoModelForSequenceClassification.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.LlamaForSequenceClassification.from_pretrained(tmp_path / "ours")
    same(again, theirs)
    assert again.config.id2label == theirs.config.id2label
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "second")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "ours" / name).read_bytes()
