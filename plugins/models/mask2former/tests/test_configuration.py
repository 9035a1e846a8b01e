"""Values of a config.json that do not fit each other are refused, with both."""

from typing import Any

import pytest

from modelry.errors import ConfigError, MissingPlugin
from modelry_mask2former import Mask2FormerConfig


def test_standard_names(values: dict[str, Any]) -> None:
    config = Mask2FormerConfig(**values)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (16, 4, 2)


def test_a_file_without_a_backbone_means_swin_s() -> None:
    config = Mask2FormerConfig()
    assert (config.backbone_config.model_type, config.backbone_config.depths) == ("swin", [2, 2, 18, 2])
    assert (config.backbone_config.channels, config.extra_maps) == ([96, 192, 384, 768], 1)


def test_a_backbone_that_nobody_provides_is_named(values: dict[str, Any]) -> None:
    values["backbone_config"] = {"model_type": "no_such_family"}
    with pytest.raises((MissingPlugin, LookupError), match="no_such_family"):
        Mask2FormerConfig(**values)


@pytest.mark.parametrize(
    "changes",
    [
        {"feature_size": 48},
        {"hidden_dim": 18},
        {"num_attention_heads": 3},
        {"common_stride": 16},
        {"feature_strides": [8, 16]},
        {"oversample_ratio": 0.5},
        {"importance_sample_ratio": 1.5},
        {"activation_function": "sine"},
        {"backbone": "swin_small"},
        {"use_timm_backbone": True},
        {"class_weight": 0, "mask_weight": 0, "dice_weight": 0},
        {"backbone_config": {"model_type": "swin", "out_features": ["stage4"]}},
        {"backbone_config": {"model_type": "bert"}},
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        Mask2FormerConfig(**{**values, **changes})
