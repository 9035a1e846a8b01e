"""Tiny random Llamas: a model, and a draft of it that is right now and then."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from modelry_llama import LlamaConfig, LlamaForCausalLM

SMALL: dict[str, Any] = {
    "vocab_size": 24,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
    "initializer_range": 0.4,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
}


@cache
def _llama(seed: int, noise: float, vocabulary: int) -> Any:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**{**SMALL, "vocab_size": vocabulary})).eval()
    with torch.no_grad():
        model.lm_head.weight.add_(noise * torch.randn_like(model.lm_head.weight))
    return model


@pytest.fixture(scope="session")
def llama() -> Callable[..., Any]:
    """`llama(seed, noise, vocabulary)`: with noise, a model whose tokens are often those of the one without."""

    def made(seed: int = 0, noise: float = 0.0, vocabulary: int = 24) -> Any:
        return _llama(seed, noise, vocabulary)

    return made


@pytest.fixture(scope="session")
def prompts() -> Callable[[int], tuple[torch.Tensor, torch.Tensor]]:
    """`prompts(seed)`: ids and mask (B, P) of prompts that differ in length, padded on the left."""

    def made(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        random = torch.Generator().manual_seed(seed)
        ids = torch.randint(1, 24, (4, 9), generator=random)
        mask = (torch.arange(9) >= torch.tensor([0, 3, 8, 5])[:, None]).long()
        return ids * mask, mask

    return made
