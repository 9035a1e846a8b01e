"""The contracts of image and video processors: a good one passes whole, each bad one fails its check."""

import dataclasses
from collections.abc import Callable

import pytest

from modelry_registry import get_registry
from modelry_testing import ImageProcessorContract, VideoProcessorContract
from modelry_testing.outcomes import FAILED, SKIPPED
from modelry_testing.toys.family import TOY

SEEDS = {
    ("image-processor", "Eye"): set(),
    ("image-processor", "Squinting"): {"test_forms"},
    ("image-processor", "ColourBlind"): {"test_modes"},
    ("image-processor", "Stubborn"): {"test_one_call"},
    ("image-processor", "Credulous"): {"test_bad_images"},
    ("video-processor", "Watcher"): set(),
    ("video-processor", "Hasty"): {"test_sampling"},
    ("video-processor", "Backwards"): {"test_forms"},
    ("video-processor", "Hallucinating"): {"test_bad_videos"},
}
CONTRACTS = {"image-processor": ImageProcessorContract, "video-processor": VideoProcessorContract}


@pytest.mark.parametrize(("role", "seed"), SEEDS)
def test_a_processor(role: str, seed: str, outsider: Callable, outcomes: Callable) -> None:
    reference = f"{outsider('eyes')}:{seed}"
    family = dataclasses.replace(TOY, model_type="seeing-toy", preprocessors={role: reference})
    found = outcomes(CONTRACTS[role], get_registry().extended(family), "seeing-toy")
    assert {one.check for one in found if one.status == FAILED} == SEEDS[role, seed], found
    assert len([one for one in found if one.status == SKIPPED]) <= 1 + 4 * bool(SEEDS[role, seed])
