"""The mathematics against the formulas, term by term in Python's floats."""

import math

import pytest
import torch

from modelry_dola.contrast import OUTSIDE, contrast, jensen_shannon


def shares(logits):
    total = sum(math.exp(one) for one in logits)
    return [math.exp(one) / total for one in logits]


def divergence(one, other):
    """Of two lists of probabilities."""
    middle = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
    return sum(
        sum(a * math.log(a / m) for a, m in zip(side, middle, strict=True) if a > 0) / 2 for side in (one, other)
    )


@pytest.mark.parametrize("seed", range(10))
def test_divergence(seed):
    logits = 4 * torch.randn(2, 9, generator=torch.Generator().manual_seed(seed))
    found = jensen_shannon(*logits.log_softmax(-1))
    assert math.isclose(float(found), divergence(*map(shares, logits.tolist())), rel_tol=1e-4)


def test_divergence_at_the_ends_of_its_range():
    certain = torch.tensor([0.0, -math.inf])
    assert float(jensen_shannon(certain, certain)) == 0
    assert math.isclose(float(jensen_shannon(certain, certain.flip(0))), math.log(2), rel_tol=1e-6)
    far = torch.tensor([0.0, -1e4]).log_softmax(-1)
    assert math.isclose(float(jensen_shannon(far, far.flip(0))), math.log(2), rel_tol=1e-6)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_contrast(seed, layers):
    random = torch.Generator().manual_seed(seed)
    mature = 2 * torch.randn(4, 11, generator=random)
    premature = 2 * torch.randn(4, layers, 11, generator=random)
    found = contrast(mature, premature)
    for row in range(4):
        last = shares(mature[row].tolist())
        early = max((shares(one) for one in premature[row].tolist()), key=lambda one: divergence(last, one))
        for token in range(11):
            if last[token] >= 0.1 * max(last):
                expected = math.log(last[token] / early[token])
            else:
                expected = math.log(last[token]) + OUTSIDE
            assert math.isclose(float(found[row, token]), expected, rel_tol=1e-4, abs_tol=1e-4)


def test_a_token_the_model_rules_out_stays_out():
    found = contrast(torch.tensor([[1.0, -math.inf, 0.5]]), torch.tensor([[[0.0, -math.inf, 1.0], [9.0, 0.0, 0.0]]]))
    assert found[0, 1] == -math.inf
    assert torch.isfinite(found[0, [0, 2]]).all()
