"""What Qwen3Config reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_qwen3 import Qwen3Config
from modelry_testing.alike.windowed_layers import REFUSALS, SMALL, check_windows


def test_a_head_is_128_wide_unless_the_file_says_else() -> None:
    assert Qwen3Config(**{**SMALL, "num_key_value_heads": 2}).head_dim == 128
    assert Qwen3Config(**{**SMALL, "num_key_value_heads": 2}, head_dim=16).head_dim == 16
    assert Qwen3Config(**{**SMALL, "num_key_value_heads": 2}, head_dim=None).head_dim == 8


def test_which_layers_have_a_window() -> None:
    check_windows(Qwen3Config)


@pytest.mark.parametrize(("changes", "words"), REFUSALS)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Qwen3Config(**{**SMALL, "num_key_value_heads": 2, **changes})
