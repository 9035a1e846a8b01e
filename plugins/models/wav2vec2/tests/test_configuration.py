"""What Wav2Vec2Config reads, fills in and refuses."""

from typing import Any

import pytest
import transformers

from modelry.errors import ConfigError, ModelryWarning
from modelry_wav2vec2 import Wav2Vec2Config


def test_defaults_are_the_published_ones() -> None:
    ours, theirs = Wav2Vec2Config().to_dict(), transformers.Wav2Vec2Config().to_dict()
    for key in ours.keys() & theirs.keys() - {"dtype", "architectures"}:
        expected = theirs[key]
        assert ours[key] == (list(expected) if isinstance(expected, tuple) else expected), key


def test_what_follows() -> None:
    config = Wav2Vec2Config(hidden_size=48, num_attention_heads=4)
    assert config.output_hidden_size == 48
    assert config.inputs_to_logits_ratio == 320
    assert config.num_feat_extract_layers == 7


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"num_attention_heads": 7}, "hidden_size 768 is not a multiple of num_attention_heads 7"),
        ({"num_conv_pos_embedding_groups": 5}, "not a multiple of num_conv_pos_embedding_groups 5"),
        ({"codevector_dim": 3}, "codevector_dim 3 is not a multiple of num_codevector_groups 2"),
        ({"conv_dim": [512]}, "conv_dim, conv_stride, conv_kernel need one number for each layer"),
        ({"tdnn_kernel": [1]}, "tdnn_dim, tdnn_kernel, tdnn_dilation need one number for each layer"),
        ({"conv_stride": [0] * 7}, "need numbers above 0"),
        ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch'"),
        ({"add_adapter": True, "adapter_attn_dim": 4}, "adapter_attn_dim needs do_stable_layer_norm"),
    ],
)
def test_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Wav2Vec2Config(**values)


def test_unknown_keys_are_named() -> None:
    with pytest.warns(ModelryWarning, match="does not know strange"):
        Wav2Vec2Config(strange=1)
