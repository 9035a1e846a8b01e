"""Tiny random Whispers, written by ctranslate2's own converter."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from ctranslate2.converters import TransformersConverter

TOKENS = {"bos_token_id": 50256, "eos_token_id": 50256, "pad_token_id": 50256, "decoder_start_token_id": 50257}


@pytest.fixture(scope="session")
def original() -> Any:
    """The model that is written."""
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=51864, d_model=16, encoder_layers=2, decoder_layers=3, encoder_attention_heads=2,
        decoder_attention_heads=4, encoder_ffn_dim=24, decoder_ffn_dim=32, max_source_positions=20,
        max_target_positions=16, num_mel_bins=8, **TOKENS,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():  # what begins at 0 and 1 would hide a mistake
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


@pytest.fixture(scope="session")
def converted(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function: type of the tensors -> the folder that ctranslate2 wrote; each is written once."""
    saved = tmp_path_factory.mktemp("saved")
    original.save_pretrained(saved)
    made: dict[str, Path] = {}

    def convert(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind) / "model"
            TransformersConverter(str(saved)).convert(str(made[kind]), quantization=kind)
        return made[kind]

    return convert
