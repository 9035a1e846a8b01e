"""What is read of the config.json of a TrOCR decoder."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_trocr import TrOCRConfig


def test_defaults_are_the_published_ones() -> None:
    config = TrOCRConfig()
    assert (config.d_model, config.decoder_layers, config.max_position_embeddings) == (1024, 12, 512)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (1024, 12, 16)
    assert config.use_learned_position_embeddings
    assert config.layernorm_embedding
    assert config.cross_attention_hidden_size is None


@pytest.mark.parametrize(
    "values",
    [
        {"d_model": 30},
        {"pad_token_id": 60000},
        {"pad_token_id": None, "use_learned_position_embeddings": False},
        {"activation_function": "sine"},
        {"decoder_layers": 0},
        {"dropout": 1.5},
    ],
)
def test_refusals(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        TrOCRConfig(**values)


def test_the_start_of_new_weights() -> None:
    assert TrOCRConfig(init_std=0.5).initializer_range == 0.5
    assert TrOCRConfig(init_std=0.5, initializer_range=0.1).initializer_range == 0.1
