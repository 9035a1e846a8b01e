"""What MixtralConfig reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_mixtral import MixtralConfig


def test_defaults_are_the_published_ones() -> None:
    config = MixtralConfig()
    assert (config.num_local_experts, config.num_experts_per_tok, config.num_key_value_heads) == (8, 2, 8)
    assert (config.rope_parameters.rope_theta, config.rms_norm_eps, config.head_dim) == (1e6, 1e-5, 128)
    assert config.layer_types == ["full_attention"] * 32
    assert MixtralConfig(sliding_window=5).layer_types == ["sliding_attention"] * 32


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_local_experts": 1}, "num_experts_per_tok 2 is more than num_local_experts 1"),
        ({"num_local_experts": 0}, "num_local_experts is 0"),
        ({"router_jitter_noise": 1.0}, "router_jitter_noise is 1.0"),
        ({"router_aux_loss_coef": -1.0}, "router_aux_loss_coef is -1.0"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MixtralConfig(**changes)
