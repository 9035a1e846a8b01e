"""Which stages give feature maps: names and numbers say the same, or are refused."""

from typing import Any

import pytest

from modelry.backbone_config import BackboneConfig
from modelry.errors import ConfigError


class ThreeStages(BackboneConfig):
    """A stem and two stages."""

    model_type: str = "three-stages"

    @property
    def stage_channels(self) -> list[int]:
        return [4, 8, 16]


@pytest.mark.parametrize(
    ("given", "names", "numbers"),
    [
        ({}, ["stage2"], [2]),
        ({"out_features": ["stem", "stage2"]}, ["stem", "stage2"], [0, 2]),
        ({"out_indices": [1, -1]}, ["stage1", "stage2"], [1, -1]),
        ({"out_features": ["stage1"], "out_indices": [1]}, ["stage1"], [1]),
        ({"out_indices": (0, 1)}, ["stem", "stage1"], [0, 1]),
    ],
)
def test_names_and_numbers_are_aligned(given: dict[str, Any], names: list[str], numbers: list[int]) -> None:
    config = ThreeStages(**given)
    assert config.out_features == names
    assert config.out_indices == numbers
    assert config.stage_names == ["stem", "stage1", "stage2"]
    assert ThreeStages.from_dict(config.to_dict()).to_dict() == config.to_dict()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"out_features": ["stage3"]}, "stem, stage1, stage2"),
        ({"out_indices": [3]}, "3 stages"),
        ({"out_features": ["stage2", "stage1"]}, "in this order"),
        ({"out_features": ["stage1", "stage1"]}, "each once"),
        ({"out_indices": [1, -2]}, "each once"),
        ({"out_features": ["stage1"], "out_indices": [2]}, "not the same stages"),
        ({"out_features": []}, "must be some of"),
    ],
)
def test_stages_that_are_not_there_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ThreeStages(**given)


def test_channels_are_those_of_the_stages_asked_for() -> None:
    assert ThreeStages(out_indices=[0, 2]).channels == [4, 16]


def test_setting_one_sets_the_other() -> None:
    config = ThreeStages()
    config.out_features = ["stage1"]
    assert config.out_indices == [1]
    config.out_indices = [0, 1]
    assert config.out_features == ["stem", "stage1"]


def test_an_override_replaces_both() -> None:
    stored = ThreeStages(out_indices=[0]).to_dict()
    assert ThreeStages.from_dict(stored, out_features=["stage1"]).out_indices == [1]
