"""Tiny models with random weights, of the sizes that the tests of all neighbours share."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from modelry import AutoConfig, auto

TEXT = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}
SPEECH = {
    "vocab_size": 96,
    "d_model": 64,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "max_source_positions": 20,
    "max_target_positions": 16,
    "num_mel_bins": 8,
    "decoder_start_token_id": 1,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SIZES: dict[str, dict[str, Any]] = {
    "llama": {**TEXT, "num_key_value_heads": 2},
    "bert": TEXT,
    "vit": {**{key: value for key, value in TEXT.items() if key != "vocab_size"}, "image_size": 32, "patch_size": 8},
    "whisper": SPEECH,
    "t5": {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4, "vocab_size": 96},
}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """A function: head ("ForCausalLM" or "" for the bare model), model_type, values of the configuration -> a model."""

    def make(head: str, model_type: str, **more: Any) -> Any:
        torch.manual_seed(0)
        config = AutoConfig.for_model(model_type, **{**SIZES[model_type], **more})
        return getattr(auto, f"AutoModel{head}").from_config(config).eval()

    return make
