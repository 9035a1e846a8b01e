"""What is special about ResNet: maps by stage, two kinds of layers, where a map is halved."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoBackbone
from modelry.errors import ConfigError
from modelry_resnet import ResNetConfig, ResNetForImageClassification, ResNetModel

SMALL: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [2, 1]}


@pytest.mark.parametrize("layer_type", ["basic", "bottleneck"])
@pytest.mark.parametrize("first", [False, True])
def test_every_stage_but_perhaps_the_first_halves_the_map(layer_type: str, first: bool) -> None:
    config = ResNetConfig(**SMALL, layer_type=layer_type, downsample_in_first_stage=first)
    out = ResNetModel(config).eval()(torch.randn(2, 3, 64, 96), output_hidden_states=True)
    shapes = [tuple(one.shape[1:]) for one in out.hidden_states]
    side = 2 if first else 1
    assert shapes == [(8, 16, 24), (16, 16 // side, 24 // side), (24, 8 // side, 12 // side)]
    assert out.pooler_output.shape == (2, 24, 1, 1)


def test_a_classifiers_checkpoint_is_a_backbone(tmp_path: Path) -> None:
    classifier = ResNetForImageClassification(ResNetConfig(**SMALL))
    classifier.save_pretrained(tmp_path)
    backbone = AutoBackbone.from_pretrained(tmp_path, out_features=["stage1", "stage2"])
    assert backbone.channels == [16, 24]
    assert [tuple(one.shape) for one in backbone(torch.randn(1, 3, 32, 32)).feature_maps] == [
        (1, 16, 8, 8),
        (1, 24, 4, 4),
    ]


def test_statistics_of_batches_are_learned_in_training_only() -> None:
    model = ResNetModel(ResNetConfig(**SMALL))
    before = model.embedder.embedder.normalization.running_mean.clone()
    model.eval()(torch.randn(2, 3, 32, 32))
    assert model.embedder.embedder.normalization.running_mean.equal(before)
    model.train()(torch.randn(2, 3, 32, 32))
    assert not model.embedder.embedder.normalization.running_mean.equal(before)


@pytest.mark.parametrize("changes", [{"depths": [1]}, {"hidden_sizes": [2, 24]}, {"layer_type": "wide"}])
def test_what_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        ResNetConfig(**{**SMALL, **changes})


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(images, 3, height, width\)"):
        ResNetModel(ResNetConfig(**SMALL))(torch.randn(1, 1, 32, 32))
