"""What is special about CLIP's configurations: two sides, files that have them twice, and what cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelry import AutoConfig
from modelry.errors import ConfigError, ModelryWarning
from modelry_clip import CLIPConfig, CLIPTextConfig, CLIPVisionConfig


def test_defaults_are_those_of_the_base_model() -> None:
    config = CLIPConfig()
    assert (config.text_config.hidden_size, config.vision_config.hidden_size, config.projection_dim) == (512, 768, 512)
    assert (config.vision_config.patch_size, config.text_config.hidden_act) == (32, "quick_gelu")


def test_of_a_side_that_a_file_has_twice_the_older_key_decides() -> None:
    config = CLIPConfig(
        text_config={"hidden_size": 64, "num_attention_heads": 4, "vocab_size": 7},
        text_config_dict={"hidden_size": 32, "num_attention_heads": 4},
        vision_config={"image_size": 16, "patch_size": 8},
        vision_config_dict=None,
    )
    assert config.text_config.hidden_size == 32
    assert config.text_config.vocab_size == 49408  # its defaults decide as well
    assert config.vision_config.image_size == 16
    assert "text_config_dict" not in config.to_dict()


def test_null_sides_are_the_defaults() -> None:
    assert CLIPConfig(text_config=None, vision_config=None).text_config == CLIPTextConfig()


def test_a_side_is_read_out_of_the_whole_models_file(tmp_path: Path) -> None:
    CLIPConfig(vision_config={"image_size": 64}).save_pretrained(tmp_path)
    assert CLIPVisionConfig.from_pretrained(tmp_path).image_size == 64
    assert isinstance(AutoConfig.from_pretrained(tmp_path), CLIPConfig)


def test_an_unknown_key_of_a_side_is_named(tmp_path: Path) -> None:
    values = {"model_type": "clip", "text_config": {"a_key_nobody_knows": 1}}
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.warns(ModelryWarning, match=r"text_config\.a_key_nobody_knows"):
        AutoConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"text_config": {"hidden_size": 30, "num_attention_heads": 4}}, "30 is not a multiple"),
        ({"vision_config": {"image_size": 8, "patch_size": 16}}, "smaller than patch_size"),
        ({"vision_config": {"hidden_act": "gelo"}}, "hidden_act"),
        ({"text_config": {"model_type": "bert"}}, "clip_text_model"),
        ({"projection_dim": 0}, "projection_dim"),
        ({"text_config": []}, "text_config"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CLIPConfig(**values)
