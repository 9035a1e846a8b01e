"""What MistralConfig reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_mistral import MistralConfig

SMALL: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 8, "num_hidden_layers": 2}


def test_defaults_are_the_published_ones() -> None:
    config = MistralConfig()
    assert (config.num_key_value_heads, config.head_dim, config.sliding_window) == (8, 128, 4096)
    assert config.layer_types == ["sliding_attention"] * 32
    assert MistralConfig(**SMALL, num_key_value_heads=None).num_key_value_heads == 8
    assert MistralConfig(**SMALL, sliding_window=None).layer_types == ["full_attention"] * 2


def test_a_null_window_survives() -> None:
    values = MistralConfig(**SMALL, sliding_window=None).to_dict()
    assert values["sliding_window"] is None
    assert "layer_types" not in values
    assert MistralConfig.from_dict(values).sliding_window is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sliding_window": 0}, "sliding_window is 0"),
        ({"num_key_value_heads": 3}, "num_attention_heads 8 is not a multiple of num_key_value_heads 3"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"pad_token_id": 64}, "pad_token_id 64 is outside a vocabulary of 64"),
        ({"rms_norm_eps": 0}, "rms_norm_eps is 0"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MistralConfig(**{**SMALL, **changes})
