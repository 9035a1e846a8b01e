"""The contract of feature extractors: a good one passes whole, each bad one fails its check."""

import dataclasses
from collections.abc import Callable

import pytest

from modelry_registry import get_registry
from modelry_testing import FeatureExtractorContract
from modelry_testing.outcomes import FAILED, SKIPPED
from modelry_testing.toys.family import TOY

SEEDS = {
    "Ear": set(),
    "Deaf": {"test_forms"},
    "Credulous": {"test_bad_sounds"},
    "Maskless": {"test_padding"},
}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_extractor(seed: str, outsider: Callable, outcomes: Callable) -> None:
    reference = f"{outsider('ears')}:{seed}"
    family = dataclasses.replace(TOY, model_type="hearing-toy", preprocessors={"feature-extractor": reference})
    found = outcomes(FeatureExtractorContract, get_registry().extended(family), "hearing-toy")
    assert {one.check for one in found if one.status == FAILED} == SEEDS[seed], found
    assert len([one for one in found if one.status == SKIPPED]) <= 1
