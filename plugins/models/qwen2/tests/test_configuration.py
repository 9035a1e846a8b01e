"""What Qwen2Config reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_qwen2 import Qwen2Config
from modelry_testing.alike.windowed_layers import REFUSALS, SMALL, check_windows


def test_what_follows_from_other_values() -> None:
    config = Qwen2Config()
    assert (config.vocab_size, config.num_key_value_heads, config.head_dim) == (151936, 32, 128)
    assert Qwen2Config(**{**SMALL, "num_key_value_heads": None}).head_dim == 8
    assert Qwen2Config(**{**SMALL, "num_key_value_heads": None}).num_key_value_heads == 4


def test_which_layers_have_a_window() -> None:
    check_windows(Qwen2Config)


@pytest.mark.parametrize(("changes", "words"), REFUSALS)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Qwen2Config(**{**SMALL, "num_key_value_heads": 2, **changes})
