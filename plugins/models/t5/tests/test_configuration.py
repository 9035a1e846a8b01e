"""What is read of a T5 config.json."""

import pytest

from modelry.errors import ConfigError
from modelry_t5 import T5Config


def test_defaults_are_the_published_ones() -> None:
    config = T5Config()
    assert (config.d_model, config.d_kv, config.num_layers, config.num_decoder_layers) == (512, 64, 6, 6)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.head_dim) == (
        512,
        6,
        8,
        64,
    )
    assert (config.dense_act_fn, config.is_gated_act, config.scale_decoder_outputs) == ("relu", False, True)


def test_what_follows_from_other_values() -> None:
    config = T5Config(num_layers=3, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    assert config.num_decoder_layers == 3
    assert (config.dense_act_fn, config.is_gated_act) == ("gelu_new", True)
    assert not config.scale_decoder_outputs
    assert T5Config(feed_forward_proj="gated-silu").dense_act_fn == "silu"
    assert T5Config(feed_forward_proj="gelu").dense_act_fn == "gelu"


def test_files_of_later_writers() -> None:
    """They say tied in any case, and scaled or not beside it."""
    config = T5Config(tie_word_embeddings=True, scale_decoder_outputs=False)
    assert config.tie_word_embeddings
    assert not config.scale_decoder_outputs


@pytest.mark.parametrize(
    "values",
    [
        {"feed_forward_proj": "gated-"},
        {"feed_forward_proj": "half-relu"},
        {"relative_attention_max_distance": 16},
        {"relative_attention_num_buckets": 2},
        {"pad_token_id": 40000},
        {"d_kv": 0},
    ],
)
def test_refusals(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        T5Config(**values)
