"""What a BERT config.json may say."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_bert import BertConfig


def test_defaults_are_those_of_bert_base() -> None:
    config = BertConfig()
    assert (config.vocab_size, config.hidden_size, config.num_hidden_layers) == (30522, 768, 12)
    assert (config.head_dim, config.layer_norm_eps, config.tie_word_embeddings) == (64, 1e-12, True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": 30, "num_attention_heads": 4}, "hidden_size 30 is not a multiple of num_attention_heads 4"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"hidden_act": "slu"}, "hidden_act is 'slu'"),
        ({"pad_token_id": 99, "vocab_size": 50}, "pad_token_id 99 is outside a vocabulary of 50 tokens"),
        ({"add_cross_attention": True}, "add_cross_attention is true and is_decoder false"),
        ({"type_vocab_size": 0}, "type_vocab_size is 0"),
    ],
)
def test_impossible_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BertConfig(**values)
