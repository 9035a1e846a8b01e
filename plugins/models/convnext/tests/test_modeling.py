"""What is special about ConvNeXT: maps by stage, scales that may be absent, lists that must fit."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoBackbone
from modelry.errors import ConfigError, ModelryWarning
from modelry_convnext import ConvNextConfig, ConvNextForImageClassification, ConvNextModel

SMALL: dict[str, Any] = {"hidden_sizes": [8, 12], "depths": [1, 1], "num_stages": 2, "layer_scale_init_value": 0.1}


def test_every_stage_halves_the_map() -> None:
    out = ConvNextModel(ConvNextConfig(**SMALL))(torch.randn(2, 3, 32, 48), output_hidden_states=True)
    assert [tuple(one.shape[1:]) for one in out.hidden_states] == [(8, 8, 12), (8, 8, 12), (12, 4, 6)]
    assert out.pooler_output.shape == (2, 12)


def test_without_a_scale_there_is_none() -> None:
    model = ConvNextModel(ConvNextConfig(**{**SMALL, "layer_scale_init_value": 0}))
    assert not any("layer_scale" in name for name, _ in model.named_parameters())


def test_a_classifiers_checkpoint_is_a_backbone(tmp_path: Path) -> None:
    classifier = ConvNextForImageClassification(ConvNextConfig(**SMALL))
    classifier.save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="hidden_states_norms"):
        backbone = AutoBackbone.from_pretrained(tmp_path, out_features=["stem", "stage2"])
    assert backbone.channels == [8, 12]
    assert (
        backbone.encoder.stages[1]
        .layers[0]
        .dwconv.weight.equal(classifier.convnext.encoder.stages[1].layers[0].dwconv.weight)
    )


@pytest.mark.parametrize("changes", [{"depths": [1]}, {"hidden_sizes": [8, 12, 16]}, {"num_stages": 3}])
def test_lists_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="num_stages"):
        ConvNextConfig(**{**SMALL, **changes})


def test_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(images, 3, height, width\)"):
        ConvNextModel(ConvNextConfig(**SMALL))(torch.randn(1, 1, 32, 32))
