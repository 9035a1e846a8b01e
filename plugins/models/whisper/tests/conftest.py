"""A tiny random Whisper of transformers, saved, and what it hears."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

SIZES: dict[str, Any] = {
    "vocab_size": 70,
    "d_model": 32,
    "num_mel_bins": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 40,
    "max_source_positions": 20,
    "max_target_positions": 24,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
    "init_std": 0.2,
    "begin_suppress_tokens": None,
}
TOLD: dict[str, Any] = {
    "no_timestamps_token_id": 59,
    "lang_to_id": {"<|en|>": 20, "<|de|>": 21, "<|fr|>": 22},
    "task_to_id": {"transcribe": 25, "translate": 26},
    "is_multilingual": True,
    "max_initial_timestamp_index": 5,
    "prev_sot_token_id": 28,
    "suppress_tokens": [40, 41],
    "begin_suppress_tokens": [7, 2],
}


@pytest.fixture(scope="module")
def theirs() -> Any:
    """A tiny random model with the instructions of a multilingual one."""
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**SIZES)).eval()
    for key, value in TOLD.items():
        setattr(model.generation_config, key, value)
    return model


@pytest.fixture(scope="module")
def folder(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, saved."""
    path = tmp_path_factory.mktemp("whisper")
    theirs.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    return torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(1))
