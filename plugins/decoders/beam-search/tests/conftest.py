"""One tiny random Llama twice: ours, and that of transformers, the independent implementation."""

from collections.abc import Callable
from typing import Any

import pytest

from modelry_testing.random_models import twins


@pytest.fixture(scope="session")
def pair() -> Callable[..., tuple[Any, Any]]:
    """`pair(seed, vocabulary)`: our model and theirs with the same weights."""
    return lambda seed=0, vocabulary=12: twins(
        "llama", "transformers:LlamaForCausalLM", seed=seed, vocab_size=vocabulary
    )
