"""The toys are what contracts take them for: a whole family, and language models whose sequences are known."""

from collections.abc import Callable, Iterator

import pytest
import torch

from modelry_registry import get_registry, use_registry
from modelry_testing import ModelContract
from modelry_testing.outcomes import FAILED
from modelry_testing.toys.family import with_toy
from modelry_testing.toys.oracle import (
    LONG,
    NEW,
    PROMPTS,
    VOCABULARY,
    best_sequences,
    certain_model,
    greedy_path,
    log_probability,
    tempting_model,
)


@pytest.fixture
def _known() -> Iterator[None]:
    with use_registry(with_toy(get_registry())):
        yield


def test_the_toy_keeps_the_contract(outcomes: Callable) -> None:
    found = outcomes(ModelContract, with_toy(get_registry()), "modelry-toy")
    assert not [one for one in found if one.status == FAILED]


@pytest.mark.usefixtures("_known")
def test_a_certain_model_leaves_no_choice() -> None:
    model = certain_model()
    for prompt in PROMPTS:
        ids = torch.tensor([[*prompt, *greedy_path(model, prompt, LONG)]])
        assert log_probability(model, ids, LONG).exp() > 1 - 1e-6


@pytest.mark.usefixtures("_known")
def test_a_tempting_model_leads_the_greedy_astray() -> None:
    model = tempting_model()
    (best, first), (_, second) = best_sequences(model, PROMPTS[0], NEW, count=2)
    assert best != greedy_path(model, PROMPTS[0], NEW)
    assert first > second


@pytest.mark.usefixtures("_known")
def test_the_probabilities_of_all_sequences_sum_to_one() -> None:
    """What the enumeration rests on."""
    found = best_sequences(tempting_model(), PROMPTS[1], 3, count=VOCABULARY**3)
    assert len({sequence for sequence, _ in found}) == VOCABULARY**3
    assert sum(torch.tensor([score for _, score in found]).exp()) == pytest.approx(1, abs=1e-4)
