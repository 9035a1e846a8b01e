"""What cuts the tail refuses impossible values, and never cuts everything."""

import math

import pytest
import torch

from modelry.generation import processors

WARPERS = {
    "TopKLogitsWarper": 1,
    "TopPLogitsWarper": 1e-9,
    "MinPLogitsWarper": 1.0,
    "TopHLogitsWarper": 1e-9,
    "TypicalLogitsWarper": 1e-9,
    "EpsilonLogitsWarper": 0.999,
    "EtaLogitsWarper": 0.999,
}


@pytest.mark.parametrize("name", WARPERS)
def test_one_token_survives(name):
    scores = torch.randn(5, 40, generator=torch.Generator().manual_seed(1))
    left = getattr(processors, name)(WARPERS[name])(torch.zeros(5, 1, dtype=torch.long), scores)
    assert (left > -math.inf).sum(-1).min() >= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TemperatureLogitsWarper", 0.0),
        ("TemperatureLogitsWarper", -1.0),
        ("TemperatureLogitsWarper", math.nan),
        ("TopKLogitsWarper", 0),
        ("TopKLogitsWarper", -3),
        ("TopPLogitsWarper", 1.1),
        ("TopPLogitsWarper", -0.1),
        ("TopPLogitsWarper", math.nan),
        ("MinPLogitsWarper", 2.0),
        ("TopHLogitsWarper", 0.0),
        ("TypicalLogitsWarper", 1.0),
        ("EpsilonLogitsWarper", 0.0),
        ("EtaLogitsWarper", 1.0),
        ("RepetitionPenaltyLogitsProcessor", 0.0),
        ("FrequencyPenaltyLogitsProcessor", math.nan),
        ("PresencePenaltyLogitsProcessor", math.inf),
        ("NoRepeatNGramLogitsProcessor", 0),
        ("SequenceBiasLogitsProcessor", {}),
        ("SequenceBiasLogitsProcessor", {(): 1.0}),
        ("SequenceBiasLogitsProcessor", {(-1,): 1.0}),
        ("NoBadWordsLogitsProcessor", [[]]),
        ("ClassifierFreeGuidanceLogitsProcessor", 1.0),
    ],
)
def test_impossible_values_are_refused(name, value):
    with pytest.raises(ValueError, match=r"must|no |holds"):
        getattr(processors, name)(value)
