"""What is read is what ctranslate2's own converter was given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoConfig, AutoModelForSpeechSeq2Seq
from modelry.errors import CheckpointError, UnsafeCheckpoint
from modelry_ctranslate2 import CTranslate2Reader

Converted = Callable[[str], Path]
KINDS = {"float32": 0.0, "float16": 2e-3, "bfloat16": 2e-2, "int8": 2e-2, "int8_float16": 2e-2}
"""Type of the tensors to how far they may be from the original."""
SETTINGS = (
    *("vocab_size", "d_model", "num_mel_bins", "activation_function", "max_source_positions", "max_target_positions"),
    *("encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"),
    *("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
)


@pytest.mark.parametrize(("kind", "tolerance"), KINDS.items())
def test_tensors(converted: Converted, original: Any, kind: str, tolerance: float) -> None:
    expected = {name: value for name, value in original.state_dict().items() if name != "proj_out.weight"}
    with CTranslate2Reader(converted(kind) / "model.bin") as reader:
        assert set(reader.names()) == set(expected)
        for name, value in expected.items():
            found, info = reader.read(name), reader.info(name)
            assert (info.dtype, info.shape) == (str(found.dtype).removeprefix("torch."), tuple(value.shape)), name
            assert torch.allclose(found.float(), value, atol=tolerance, rtol=tolerance), name


def test_configuration(converted: Converted, original: Any) -> None:
    config = AutoConfig.from_pretrained(converted("float32"))
    for name in SETTINGS:
        assert getattr(config, name) == getattr(original.config, name), name


def test_logits_and_saving(converted: Converted, original: Any, tmp_path: Path) -> None:
    model = AutoModelForSpeechSeq2Seq.from_pretrained(converted("float32"))
    inputs = {
        "input_features": torch.randn(2, 8, 40),
        "decoder_input_ids": torch.tensor([[50257, 3, 9], [50257, 8, 1]]),
    }
    with torch.no_grad():
        expected = original(**inputs).logits
        torch.testing.assert_close(model(**inputs).logits, expected, atol=1e-5, rtol=1e-5)
        model.save_pretrained(tmp_path)
        again = AutoModelForSpeechSeq2Seq.from_pretrained(tmp_path)
        torch.testing.assert_close(again(**inputs).logits, expected, atol=1e-5, rtol=1e-5)


def test_the_generation_settings_come_along(converted: Converted) -> None:
    model = AutoModelForSpeechSeq2Seq.from_pretrained(converted("float32"))
    assert model.generation_config.decoder_start_token_id == 50257
    assert model.generation_config.max_length == 16


def test_other_models_are_refused(converted: Converted, tmp_path: Path) -> None:
    data = (converted("float32") / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(data.replace(b"WhisperSpec\0", b"WhasperSpec\0", 1))
    with pytest.raises(CheckpointError, match="holds a WhasperSpec; a WhisperSpec can be read"):
        CTranslate2Reader(tmp_path / "model.bin")


def test_a_pickle_of_that_name_is_still_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "model.bin")
    with pytest.raises(UnsafeCheckpoint, match="pickled"):
        AutoModelForSpeechSeq2Seq.from_pretrained(tmp_path / "model.bin")


def test_a_bias_of_keys_is_not_lost_silently(converted: Converted, tmp_path: Path) -> None:
    source = converted("float32") / "model.bin"
    with CTranslate2Reader(source) as reader:
        tensor = reader._container.tensors["encoder/layer_0/self_attention/linear_0/bias"]
    data = bytearray(source.read_bytes())
    middle = tensor.start + tensor.nbytes // 2
    data[middle : middle + 4] = b"\0\0\x80\x3f"
    (tmp_path / "model.bin").write_bytes(data)
    with CTranslate2Reader(tmp_path / "model.bin") as reader, pytest.raises(CheckpointError, match="a bias of keys"):
        reader.read("model.encoder.layers.0.self_attn.q_proj.bias")
