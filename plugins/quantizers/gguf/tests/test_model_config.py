"""config.json and generation_config.json told by metadata, and files that cannot be told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from modelry.errors import CheckpointError
from modelry_gguf.container import open_container
from modelry_gguf.model_config import config_values, generation_values

SIZES: dict[str, Any] = {
    "llama.embedding_length": 8,
    "llama.feed_forward_length": 16,
    "llama.block_count": 1,
    "llama.attention.head_count": 2,
    "llama.context_length": 64,
    "llama.attention.layer_norm_rms_epsilon": 1e-6,
}


def write(
    path: Path, values: dict[str, Any], *, architecture: str = "llama", names: tuple[str, ...] = ("token_embd.weight",)
) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in values.items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for name in names:
        writer.add_tensor(name, np.zeros((10, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_the_least_a_file_must_say(tmp_path: Path) -> None:
    path = tmp_path / "least.gguf"
    write(path, SIZES)
    assert config_values(open_container(path)) == {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 10,
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "tie_word_embeddings": True,
        "dtype": "float32",
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
    }
    assert generation_values(open_container(path)) == {}


def test_same_values_as_transformers(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    import transformers

    path = tmp_path / "tiny.gguf"
    write_model(path, head_dim=64, facts={"llama.rope.dimension_count": 64, "llama.vocab_size": 320})
    expected = transformers.AutoConfig.from_pretrained(tmp_path, gguf_file=path.name)
    for key, value in config_values(open_container(path)).items():
        if key not in ("architectures", "dtype", "rms_norm_eps"):  # not told, or as the double of a float32
            assert getattr(expected, key) == value, key


def test_ends_of_a_turn_end_a_text(tmp_path: Path) -> None:
    path = tmp_path / "ends.gguf"
    ids = {"bos": 1, "eos": 2, "eot": 3, "eom": 2, "padding": 0}
    write(path, SIZES | {f"tokenizer.ggml.{name}_token_id": number for name, number in ids.items()})
    assert generation_values(open_container(path)) == {"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0}
    assert config_values(open_container(path))["eos_token_id"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"llama.block_count": None}, "has no llama.block_count"),
        ({"llama.embedding_length": 0}, "embedding_length is 0"),
        ({"llama.attention.head_count": "two"}, "must be a whole number; found 'two'"),
        ({"llama.attention.head_count": [2, 2]}, "differs from layer to layer"),
        ({"llama.attention.layer_norm_rms_epsilon": None}, "layer_norm_rms_epsilon"),
        ({"llama.attention.layer_norm_rms_epsilon": float("nan")}, "finite number"),
        ({"llama.rope.dimension_count": 2, "llama.attention.key_length": 4}, "keys of 4 and .* 2"),
        ({"llama.attention.key_length": 3}, "a head is 3 wide"),
        ({"llama.expert_count": 8}, "mixture of 8 experts"),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "wrong.gguf"
    write(path, {key: value for key, value in (SIZES | changes).items() if value is not None})
    with pytest.raises(CheckpointError, match=words):
        config_values(open_container(path))


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    write(path, {}, architecture="gemma")
    with pytest.raises(CheckpointError, match="'gemma'; this reader knows llama, qwen2, qwen3"):
        config_values(open_container(path))


def test_no_embedding(tmp_path: Path) -> None:
    path = tmp_path / "no.gguf"
    write(path, SIZES, names=("output.weight",))
    with pytest.raises(CheckpointError, match=r"no matrix token_embd\.weight"):
        config_values(open_container(path))
