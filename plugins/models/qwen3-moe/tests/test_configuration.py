"""What Qwen3MoeConfig reads, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_qwen3_moe import Qwen3MoeConfig


def test_which_layers_are_mixtures() -> None:
    config = Qwen3MoeConfig(num_hidden_layers=6, decoder_sparse_step=2, mlp_only_layers=[3])
    assert [config.is_sparse(number) for number in range(6)] == [False, True, False, False, False, True]
    assert all(Qwen3MoeConfig(mlp_only_layers=None).is_sparse(number) for number in range(24))


def test_spellings() -> None:
    assert Qwen3MoeConfig(num_local_experts=16).num_experts == 16
    assert "num_local_experts" not in Qwen3MoeConfig(num_local_experts=16).to_dict()
    windowed = Qwen3MoeConfig(use_sliding_window=True, sliding_window=5, num_hidden_layers=2)
    assert windowed.layer_types == ["sliding_attention"] * 2
    assert Qwen3MoeConfig(sliding_window=5, num_hidden_layers=2).layer_types == ["full_attention"] * 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_experts": 4}, "num_experts_per_tok 8 is more than num_experts 4"),
        ({"moe_intermediate_size": 0}, "moe_intermediate_size is 0"),
        ({"decoder_sparse_step": 0}, "decoder_sparse_step is 0"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Qwen3MoeConfig(**changes)
