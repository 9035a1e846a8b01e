"""Tiny llamas of every tensor type, read beside transformers 5.23 and the gguf package."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

from modelry.errors import CheckpointError, NotFound
from modelry_gguf.reader import GgufReader

QUANTIZED = [
    Type.Q4_0,
    Type.Q4_1,
    Type.Q5_0,
    Type.Q5_1,
    Type.Q8_0,
    Type.Q2_K,
    Type.Q3_K,
    Type.Q4_K,
    Type.Q5_K,
    Type.Q6_K,
]


def tensors_of(reader: GgufReader, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
    return {name: reader.read(name, dtype) for name in reader.names()}


def read_by_transformers(path: Path, model: Any) -> dict[str, torch.Tensor]:
    import transformers
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    transformers.utils.logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)
    tensors: dict[str, torch.Tensor] = loaded["tensors"]
    return tensors


def rebuilt(reader: GgufReader) -> Any:
    """transformers' model of our configuration and our tensors."""
    import transformers

    values = dict(reader.config())
    values.pop("dtype")
    config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    missing, unexpected = model.load_state_dict(tensors_of(reader, torch.float32), strict=False)
    assert set(missing) <= {"lm_head.weight"}
    assert not unexpected
    model.tie_weights()
    return model


@pytest.mark.parametrize("kind", [Type.F32, Type.F16, Type.BF16, *QUANTIZED], ids=lambda kind: kind.name)
def test_tensors_equal_those_of_transformers_bit_by_bit(
    tmp_path: Path, write_model: Callable[..., Any], kind: Type
) -> None:
    path = tmp_path / "tiny.gguf"
    model = write_model(path, kind=kind)
    expected = read_by_transformers(path, model)
    with GgufReader(path) as reader:
        got = tensors_of(reader)
        assert got.keys() == expected.keys() == set(reader.names())
        for name, tensor in got.items():
            assert torch.equal(tensor.float(), expected[name]), name
            assert tuple(tensor.shape) == reader.info(name).shape
            rounded = reader.read(name, torch.bfloat16)
            assert torch.equal(rounded, expected[name].bfloat16()), name


@pytest.mark.parametrize(
    "values", [{}, {"tie_word_embeddings": True}, {"attention_bias": True, "mlp_bias": True}], ids=str
)
def test_logits_are_those_of_the_model_that_was_written(
    tmp_path: Path, write_model: Callable[..., Any], values: dict[str, Any]
) -> None:
    path = tmp_path / "tiny.gguf"
    model = write_model(path, **values)
    ids = torch.randint(0, 320, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode(), GgufReader(path) as reader:
        torch.testing.assert_close(rebuilt(reader)(ids).logits, model(ids).logits, rtol=0, atol=0)


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_other_families(tmp_path: Path, write_model: Callable[..., Any], family: str) -> None:
    path = tmp_path / "tiny.gguf"
    model = write_model(path, family=family)
    ids = torch.arange(20)[None]
    with torch.inference_mode(), GgufReader(path) as reader:
        assert reader.config()["model_type"] == family
        torch.testing.assert_close(rebuilt(reader)(ids).logits, model(ids).logits, rtol=0, atol=0)


LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128,
}  # fmt: skip
SCALINGS = {
    "linear": ({"rope_type": "linear", "factor": 4.0}, {"type": "linear", "factor": 4.0}),
    "yarn": (
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
        {"type": "yarn", "factor": 4.0, "original_context_length": 128},
    ),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_scaled_positions(tmp_path: Path, write_model: Callable[..., Any], name: str) -> None:
    published, stored = SCALINGS[name]
    path = tmp_path / "tiny.gguf"
    facts = {f"llama.rope.scaling.{key}": value for key, value in stored.items()}
    model = write_model(path, rope_parameters={"rope_theta": 10000.0, **published}, facts=facts)
    ids = torch.arange(300)[None]
    with torch.inference_mode(), GgufReader(path) as reader:
        torch.testing.assert_close(rebuilt(reader)(ids).logits, model(ids).logits, rtol=0, atol=0)


def test_llama3_positions_come_back_from_their_divisors(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    import transformers

    path = tmp_path / "tiny.gguf"
    plain = transformers.AutoConfig.for_model(
        "llama", head_dim=64, rope_parameters={"rope_type": "default", "rope_theta": 5e5}
    )
    scaled = transformers.AutoConfig.for_model("llama", head_dim=64, rope_parameters=LLAMA3)
    rotary = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding
    divisors = rotary(plain).inv_freq / rotary(scaled).inv_freq
    model = write_model(path, rope_parameters=LLAMA3, extra={"rope_freqs.weight": divisors.numpy()})
    ids = torch.arange(300)[None]
    with torch.inference_mode(), GgufReader(path) as reader:
        assert reader.config()["rope_parameters"] == LLAMA3
        assert "rope_freqs.weight" not in reader.names()
        torch.testing.assert_close(rebuilt(reader)(ids).logits, model(ids).logits, rtol=0, atol=0)


def test_dtype_that_auto_finds(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    for kind, dtype in ((Type.F32, "float32"), (Type.F16, "float16"), (Type.BF16, "bfloat16"), (Type.Q8_0, "bfloat16")):
        path = tmp_path / f"{kind.name}.gguf"
        write_model(path, kind=kind)
        with GgufReader(path) as reader:
            assert reader.config()["dtype"] == dtype
            assert reader.info("model.layers.0.mlp.up_proj.weight").dtype == dtype
            assert reader.info("model.norm.weight").dtype == "float32"


def test_plain_tensors_are_mapped_and_writing_leaves_the_file_alone(
    tmp_path: Path, write_model: Callable[..., Any]
) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path)
    before = path.read_bytes()
    with GgufReader(path) as reader:
        first = reader.read("model.embed_tokens.weight")
        first.zero_()
        assert not reader.read("model.embed_tokens.weight").any()  # the same memory
    assert first.sum() == 0  # valid after closing
    assert path.read_bytes() == before


def test_release_gives_back_what_was_written_to_the_mapping(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    model = write_model(path)
    name = "model.embed_tokens.weight"
    with GgufReader(path) as reader:
        neighbours = {other: reader.read(other).clone() for other in reader.names() if other != name}
        reader.read(name).zero_()
        reader.release(name)
        rows = reader.read(name)[8:-8]  # beyond the first page and before the last, which others share
        assert torch.equal(rows, model.state_dict()[name][8:-8])
        assert all(torch.equal(reader.read(other), tensor) for other, tensor in neighbours.items())


def test_a_type_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    blocks = np.zeros((320, 66), np.uint8)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", blocks, raw_dtype=Type.IQ2_XXS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with GgufReader(path) as reader, pytest.raises(CheckpointError, match=r"token_embd\.weight.*IQ2_XXS"):
        reader.read("model.embed_tokens.weight")


def test_unknown_names(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path)
    with GgufReader(path) as reader:
        with pytest.raises(CheckpointError, match="holds no tensor 'lm_tail'"):
            reader.read("lm_tail")
        reader.close()
        with pytest.raises(CheckpointError, match="closed"):
            reader.names()
    with pytest.raises(NotFound, match="There is no file"):
        GgufReader(tmp_path / "absent.gguf")


def test_rows_that_are_no_whole_heads(tmp_path: Path, write_model: Callable[..., Any]) -> None:
    path = tmp_path / "tiny.gguf"
    write_model(path)
    raw = path.read_bytes()
    wrong = raw.replace(b"llama.attention.key_length\x04\0\0\0\x40", b"llama.attention.key_length\x04\0\0\0\x50")
    assert wrong != raw
    path.write_bytes(wrong)
    with GgufReader(path) as reader, pytest.raises(CheckpointError, match=r"attn_q.*no whole number of heads of 80"):
        reader.read("model.layers.0.self_attn.q_proj.weight")
