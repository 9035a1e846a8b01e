"""What Qwen2VLConfig reads of older files, fills in and refuses."""

from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_qwen2_vl import Qwen2VLConfig, Qwen2VLTextConfig

FLAT: dict[str, Any] = {
    "model_type": "qwen2_vl",
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "rope_theta": 5000.0,
    "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    "eos_token_id": 7,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vision_token_id": 9,
    "vision_config": {"model_type": "qwen2_vl", "hidden_size": 32, "in_chans": 1, "spatial_patch_size": 8},
}


@pytest.mark.filterwarnings("error")
def test_a_flat_file() -> None:
    config = Qwen2VLConfig.from_dict(FLAT)
    text, vision = config.text_config, config.vision_config
    assert (text.hidden_size, text.head_dim, text.eos_token_id, config.eos_token_id) == (32, 8, 7, 7)
    assert (text.rope_parameters.rope_type, text.rope_parameters.rope_theta) == ("default", 5000.0)
    assert text.rope_parameters.sections == [1, 1, 2]
    assert (vision.model_type, vision.in_channels, vision.patch_size) == ("qwen2_vl_vision", 1, 8)
    assert (config.tie_word_embeddings, text.tie_word_embeddings, config.dtype) == (True, True, "bfloat16")
    assert "hidden_size" not in {key for key in config.to_dict() if key != "text_config"}
    assert Qwen2VLConfig.from_dict(config.to_dict()) == config


def test_defaults() -> None:
    text = Qwen2VLTextConfig()
    assert (text.vocab_size, text.head_dim, text.rope_parameters.rope_theta) == (152064, 128, 1e6)
    assert text.rope_parameters.sections == [16, 24, 24]
    config = Qwen2VLConfig(vision_config={"hidden_size": 8192})
    assert (config.image_token_id, config.vision_config.rope_parameters.rope_theta) == (151655, 10000.0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rope_scaling": {"type": "mrope", "mrope_section": [4, -1, 1]}}, "mrope_section .* add up to 4"),
        ({"head_dim": 16}, "head_dim 16"),
        ({"vision_config": {"hidden_size": 30}}, "vision_config.hidden_size 30"),
        ({"vision_config": {**FLAT["vision_config"], "patch_size": 4}}, "spatial_patch_size is 8 and patch_size 4"),
        ({"vision_config": {"hidden_size": 32, "num_heads": 12}}, "embed_dim 1280"),
        ({"vision_config": {"hidden_size": 32, "rope_parameters": {"rope_type": "yarn"}}}, "rope_type"),
        ({"image_token_id": 3, "video_token_id": 3}, "both 3"),
    ],
)
def test_values_that_cannot_be_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Qwen2VLConfig.from_dict({**FLAT, **changes})
