"""What is special about SigLIP's configurations: widths that follow from others, and what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from modelry.errors import ConfigError
from modelry_siglip import SiglipConfig, SiglipTextConfig, SiglipVisionConfig


def test_defaults_are_those_of_the_base_model() -> None:
    config = SiglipConfig(text_config=None)
    assert (config.text_config.vocab_size, config.text_config.max_position_embeddings) == (32000, 64)
    assert (config.vision_config.patch_size, config.vision_config.layer_norm_eps) == (16, 1e-6)
    assert config.vision_config.vision_use_head


def test_a_texts_vector_is_as_wide_as_the_stream_unless_said() -> None:
    assert SiglipTextConfig(hidden_size=48).projection_size == 48
    assert SiglipTextConfig(hidden_size=48, projection_size=20).projection_size == 20


def test_a_side_is_read_out_of_the_whole_models_file(tmp_path: Path) -> None:
    SiglipConfig(vision_config={"image_size": 64}).save_pretrained(tmp_path)
    assert SiglipVisionConfig.from_pretrained(tmp_path).image_size == 64


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"text_config": {"hidden_size": 50, "num_attention_heads": 12}}, "50 is not a multiple"),
        ({"vision_config": {"image_size": 8, "patch_size": 16}}, "smaller than patch_size"),
        ({"vision_config": {"hidden_act": "gelo"}}, "hidden_act"),
        ({"text_config": {"model_type": "clip_text_model"}}, "siglip_text_model"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SiglipConfig(**values)
