"""Configurations in which some layers see a window of the last positions: which those are, and what is refused."""

from typing import Any

from modelry.nn.decoder_config import FULL, SLIDING, WindowedDecoderConfig
from modelry_testing.errors import ContractBroken

SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "num_hidden_layers": 4,
}
WINDOW: dict[str, Any] = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 3}

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"layer_types": [FULL]}, "layer_types names 1 layers and num_hidden_layers is 4"),
    ({"layer_types": [SLIDING] * 4}, "use_sliding_window is False"),
    ({"layer_types": ["linear_attention"] * 4}, "layer_types"),
    ({"sliding_window": 0}, "sliding_window is 0"),
    ({"max_window_layers": -1}, "max_window_layers is -1"),
    ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
]
"""Values beside SMALL, and what the error says."""


def check_windows(config_class: type[WindowedDecoderConfig]) -> None:
    """The later layers have a window, unless the file names those that do.

    Raises:
        ContractBroken: others have one.
    """
    windowed = config_class(**SMALL, **WINDOW)
    named = config_class(**SMALL, **WINDOW, layer_types=[SLIDING, FULL] * 2)
    for config, expected in (
        (config_class(**SMALL), [FULL] * 4),
        (windowed, [FULL, FULL, FULL, SLIDING]),
        (config_class.from_dict(windowed.to_dict()), [FULL, FULL, FULL, SLIDING]),
        (named, [SLIDING, FULL] * 2),
    ):
        if config.layer_types != expected:
            raise ContractBroken(f"{config_class.__name__} has the layers {config.layer_types}, expected {expected}")
    if config_class.from_dict(windowed.to_dict()) != windowed:
        raise ContractBroken(f"{config_class.__name__} is another one after a round trip")
