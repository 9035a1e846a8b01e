"""What LlamaConfig reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError, ModelryWarning
from modelry_llama import LlamaConfig

SMALL: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2}


def test_what_follows_from_other_values() -> None:
    config = LlamaConfig(**SMALL)
    assert (config.num_key_value_heads, config.head_dim) == (4, 8)
    assert config.rope_parameters.rope_theta == 10000.0
    assert LlamaConfig(**SMALL, num_key_value_heads=None, head_dim=None, pretraining_tp=None).head_dim == 8
    assert LlamaConfig(**SMALL, head_dim=5 * 2, num_key_value_heads=2).head_dim == 10


def test_round_trip() -> None:
    scaling = {"rope_type": "linear", "factor": 2.0}
    config = LlamaConfig(**SMALL, rope_theta=5e5, rope_scaling=scaling)
    values = config.to_dict()
    assert values["rope_parameters"] == {"rope_type": "linear", "rope_theta": 5e5, "factor": 2.0}
    assert "rope_scaling" not in values
    assert LlamaConfig.from_dict(values).to_dict() == values


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": 30}, "hidden_size 30 is not a multiple of num_attention_heads 4"),
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"head_dim": 7}, "head width 7 with partial_rotary_factor"),
        ({"pad_token_id": 64}, "pad_token_id 64 is outside a vocabulary of 64"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"pretraining_tp": 2}, "pretraining_tp is 2"),
        ({"attention_dropout": 1.0}, "attention_dropout is 1.0"),
        ({"rope_scaling": {"type": "linear"}}, "needs factor"),
        ({"rope_scaling": 3}, "rope_parameters is 3"),
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"hidden_size": "wide"}, "hidden_size is 'wide'"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        LlamaConfig(**{**SMALL, **changes})


def test_what_was_warned_of_once_is_not_warned_of_again() -> None:
    with pytest.warns(ModelryWarning, match="do not know spin"):
        config = LlamaConfig(rope_parameters={"rope_type": "default", "spin": 1})
    assert config.checked() == config, "and warnings are errors here"
