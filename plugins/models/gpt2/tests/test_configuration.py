"""What GPT2Config reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_gpt2 import GPT2Config


def test_standard_names() -> None:
    config = GPT2Config(n_embd=48, n_layer=3, n_head=6, n_positions=99, n_ctx=99)
    assert (config.hidden_size, config.num_hidden_layers) == (48, 3)
    assert (config.num_attention_heads, config.max_position_embeddings) == (6, 99)
    assert config.tie_word_embeddings
    assert GPT2Config(hidden_size=48, num_attention_heads=6) == GPT2Config(n_embd=48, n_head=6)
    assert "hidden_size" not in config.to_dict()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_embd": 50}, "n_embd 50 is not a multiple of n_head 12"),
        ({"activation_function": "bend"}, "activation_function is 'bend'"),
        ({"summary_type": "attn"}, "summary_type is 'attn'"),
        ({"n_positions": 0}, "n_positions is 0"),
        ({"resid_pdrop": 1.5}, "resid_pdrop is 1.5"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        GPT2Config(**changes)
