"""One tiny random Llama twice: ours, and that of transformers, the independent implementation."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import transformers

from modelry_llama import LlamaConfig, LlamaForCausalLM

SMALL: dict[str, Any] = {
    "vocab_size": 14,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "initializer_range": 0.4,
    "tie_word_embeddings": False,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
}


@cache
def _pair(seed: int, **values: Any) -> tuple[Any, Any]:
    torch.manual_seed(seed)
    values = {**SMALL, **values}
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**values)).eval()
    ours = LlamaForCausalLM(LlamaConfig(**values)).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.fixture(scope="session")
def pair() -> Callable[..., tuple[Any, Any]]:
    """`pair(seed, **config)`: our model and theirs with the same weights."""

    def made(seed: int = 0, **values: Any) -> tuple[Any, Any]:
        return _pair(seed, **values)

    return made
