"""The size of a cache, said before it is made, is what it then takes."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from modelry.cache.making import make_cache
from modelry.cache.sizing import cache_bytes, state_bytes


def config_of(**more: object) -> SimpleNamespace:
    return SimpleNamespace(**{"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32} | more)


@pytest.mark.parametrize(
    ("config", "heads", "width"),
    [
        (config_of(), 4, 8),
        (config_of(num_key_value_heads=2), 2, 8),
        (config_of(num_key_value_heads=1, head_dim=5), 1, 5),
        (config_of(d_kv=3), 4, 3),
        (config_of(layer_types=["sliding_attention", "full_attention"], sliding_window=65), 4, 8),
    ],
)
def test_as_the_cache_itself(config: SimpleNamespace, heads: int, width: int) -> None:
    cache = make_cache(config)
    keys = torch.ones(3, heads, 256, width, dtype=torch.bfloat16)
    for layer in cache.layers:
        for _ in range(2):
            layer.extend(keys, keys)
            layer.advance(256)
    held = [layer.keys.nbytes + layer.values.nbytes for layer in cache.layers]
    said = cache_bytes(config, positions=512, rows=3, dtype=torch.bfloat16)
    assert said[-1] == held[-1], "what sees everything"
    assert said[0] <= held[0] or said == held


def test_a_state_does_not_grow() -> None:
    config = config_of(layer_types=["mamba", "full_attention"])
    assert cache_bytes(config, positions=10, rows=1, dtype=torch.float32) == [0, 2 * 10 * 32 * 4]
    config = SimpleNamespace(num_hidden_layers=2, layer_types=["mamba"] * 2)
    assert cache_bytes(config, positions=10, rows=1, dtype=torch.float32) == [0, 0], "which need no heads"


def test_states_are_as_large_as_the_layers_make_them() -> None:
    class Recurrent(torch.nn.Module):
        def make_cache(self) -> Any:
            return make_cache(config_of(layer_types=["mamba", "full_attention"]))

        def forward(self, ids: torch.Tensor, past_key_values: Any) -> None:
            past_key_values.layers[0].write(
                ids.new_zeros(len(ids), 5, 4, dtype=torch.bfloat16), ids.new_zeros(len(ids))
            )
            past_key_values.layers[0].advance(1)

    assert state_bytes(Recurrent(), rows=3) == [3 * 5 * 4 * 2 + 3 * 8, 0]
