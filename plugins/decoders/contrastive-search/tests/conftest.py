"""One tiny random Llama twice: ours, and that of transformers, the independent implementation."""

from collections.abc import Callable
from typing import Any

import pytest

from modelry_testing.random_models import twins

LAYERS = {"vocab_size": 14, "num_hidden_layers": 2, "initializer_range": 0.4, "tie_word_embeddings": False}


@pytest.fixture(scope="session")
def pair() -> Callable[..., tuple[Any, Any]]:
    """`pair(seed, **config)`: our model and theirs with the same weights."""
    return lambda seed=0, **values: twins("llama", "transformers:LlamaForCausalLM", seed=seed, **{**LAYERS, **values})
