"""What Qwen2Config reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_qwen2 import Qwen2Config

SMALL: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 4}
FULL, SLIDING = "full_attention", "sliding_attention"
WINDOW = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 3}


def test_what_follows_from_other_values() -> None:
    config = Qwen2Config()
    assert (config.vocab_size, config.num_key_value_heads, config.head_dim) == (151936, 32, 128)
    assert Qwen2Config(**SMALL, num_key_value_heads=None).head_dim == 8
    assert Qwen2Config(**SMALL, num_key_value_heads=None).num_key_value_heads == 4


def test_which_layers_have_a_window() -> None:
    assert Qwen2Config(**{**SMALL, "num_key_value_heads": 4}).layer_types == [FULL] * 4
    windowed = Qwen2Config(**{**SMALL, "num_key_value_heads": 4}, **WINDOW)
    assert windowed.layer_types == [FULL, FULL, FULL, SLIDING]
    assert Qwen2Config.from_dict(windowed.to_dict()) == windowed
    named = {**WINDOW, "layer_types": [SLIDING, FULL] * 2}
    assert Qwen2Config(**{**SMALL, "num_key_value_heads": 4}, **named).layer_types == [SLIDING, FULL] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layer_types": [FULL]}, "layer_types names 1 layers and num_hidden_layers is 4"),
        ({"layer_types": [SLIDING] * 4}, "use_sliding_window is False"),
        ({"layer_types": ["linear_attention"] * 4}, "layer_types"),
        ({"sliding_window": 0}, "sliding_window is 0"),
        ({"max_window_layers": -1}, "max_window_layers is -1"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Qwen2Config(**{**SMALL, "num_key_value_heads": 2, **changes})
