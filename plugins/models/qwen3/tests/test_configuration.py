"""What Qwen3Config reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_qwen3 import Qwen3Config

SMALL: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 4}
FULL, SLIDING = "full_attention", "sliding_attention"
WINDOW = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 3}


def test_a_head_is_128_wide_unless_the_file_says_else() -> None:
    assert Qwen3Config(**SMALL, num_key_value_heads=2).head_dim == 128
    assert Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=16).head_dim == 16
    assert Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=None).head_dim == 8


def test_which_layers_have_a_window() -> None:
    assert Qwen3Config(**{**SMALL, "num_key_value_heads": 4}).layer_types == [FULL] * 4
    windowed = Qwen3Config(**{**SMALL, "num_key_value_heads": 4}, **WINDOW)
    assert windowed.layer_types == [FULL, FULL, FULL, SLIDING]
    assert Qwen3Config.from_dict(windowed.to_dict()) == windowed
    named = {**WINDOW, "layer_types": [SLIDING, FULL] * 2}
    assert Qwen3Config(**{**SMALL, "num_key_value_heads": 4}, **named).layer_types == [SLIDING, FULL] * 2


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
        Qwen3Config(**{**SMALL, "num_key_value_heads": 2, **changes})
