"""What configurations of decoders have in common: values that follow from others, layer types, refusals."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry.nn.decoder_config import FULL, SLIDING, RotaryDecoderConfig, WindowedDecoderConfig

SMALL: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2}


class Fast(RotaryDecoderConfig):
    default_theta = 7.0


def test_what_follows_from_other_values() -> None:
    assert RotaryDecoderConfig(**SMALL).head_dim == 8
    assert RotaryDecoderConfig(**SMALL, head_dim=12).head_dim == 12
    assert RotaryDecoderConfig(**{**SMALL, "num_key_value_heads": None}).num_key_value_heads == 4
    assert RotaryDecoderConfig(**SMALL).rope_parameters.rope_theta == 10000.0
    assert Fast(**SMALL).rope_parameters.rope_theta == 7.0
    assert Fast(**SMALL, rope_theta=3.0).rope_parameters.rope_theta == 3.0


def test_layer_types() -> None:
    window = {"use_sliding_window": True, "max_window_layers": 1}
    assert WindowedDecoderConfig(**SMALL).layer_types == [FULL] * 3
    made = WindowedDecoderConfig(**SMALL, **window)
    assert made.layer_types == [FULL, SLIDING, SLIDING]
    assert WindowedDecoderConfig.from_dict(made.to_dict()).layer_types == made.layer_types
    assert WindowedDecoderConfig(**SMALL, **window, sliding_window=None).layer_types == [FULL] * 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": 30}, "hidden_size 30 is not a multiple of num_attention_heads 4"),
        ({"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"),
        ({"head_dim": 7}, "rotates 7 values"),
        ({"pad_token_id": 32000}, "pad_token_id 32000 is outside"),
        ({"layer_types": [SLIDING] * 3}, "use_sliding_window is False"),
        ({"layer_types": [FULL]}, "layer_types names 1 layers and num_hidden_layers is 3"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WindowedDecoderConfig(**{**SMALL, **changes})
