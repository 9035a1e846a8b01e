"""What is read of a BART config.json."""

import pytest

from modelry.errors import ConfigError
from modelry_bart import BartConfig


def test_defaults_are_the_published_ones() -> None:
    config = BartConfig()
    assert (config.d_model, config.encoder_layers, config.decoder_start_token_id) == (1024, 12, 2)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (1024, 12, 16)
    assert config.num_labels == 3
    assert BartConfig(num_labels=5).num_labels == 5
    assert config.is_encoder_decoder


def test_a_decoder_alone_counts_its_own_layers() -> None:
    config = BartConfig(is_encoder_decoder=False, encoder_layers=2, decoder_layers=5)
    assert config.num_hidden_layers == config.num_decoder_layers == 5


@pytest.mark.parametrize(
    "values",
    [
        {"d_model": 30},
        {"pad_token_id": 60000},
        {"normalize_before": True},
        {"static_position_embeddings": True},
        {"encoder_layers": 0},
        {"dropout": 1.5},
    ],
)
def test_refusals(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        BartConfig(**values)


def test_the_start_of_new_weights() -> None:
    assert BartConfig(init_std=0.5).initializer_range == 0.5
    assert BartConfig(init_std=0.5, initializer_range=0.1).initializer_range == 0.1
