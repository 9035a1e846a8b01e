"""A position's outcome follows the model; the draft is taken as often as can be."""

import pytest
import torch

from modelry_speculative.acceptance import draw_with_draft, said

TARGET = torch.tensor([0.5, 0.3, 0.2, 0.0])
DRAFT = torch.tensor([0.2, 0.1, 0.3, 0.4])
MANY = 40_000


def drawn(drafted, shares, offered=True):
    random = torch.rand(MANY, 2, generator=torch.Generator().manual_seed(0))
    scores = TARGET.log().expand(MANY, 4)
    told = None if shares is None else shares.expand(MANY, 4)
    return draw_with_draft(scores, drafted, torch.full((MANY,), offered), told, random=random)


def test_outcomes_of_drawn_drafts():
    drafted = torch.multinomial(DRAFT, MANY, replacement=True, generator=torch.Generator().manual_seed(1))
    found = drawn(drafted, DRAFT)
    torch.testing.assert_close(found.bincount(minlength=4) / MANY, TARGET, rtol=0, atol=0.01)
    assert float((found == drafted).float().mean()) == pytest.approx(0.2 + 0.1 + 0.2, abs=0.01)  # sum of the minima


@pytest.mark.parametrize("token", range(4))
def test_outcomes_of_a_draft_without_choice(token):
    drafted = torch.full((MANY,), token)
    found = drawn(drafted, None)
    torch.testing.assert_close(found.bincount(minlength=4) / MANY, TARGET, rtol=0, atol=0.01)


def test_where_nothing_is_offered_the_model_draws_alone():
    found = drawn(torch.zeros(MANY, dtype=torch.long), DRAFT, offered=False)
    torch.testing.assert_close(found.bincount(minlength=4) / MANY, TARGET, rtol=0, atol=0.01)


def test_equal_distributions_leave_no_rest():
    drafted = torch.multinomial(TARGET, MANY, replacement=True, generator=torch.Generator().manual_seed(1))
    assert torch.equal(drawn(drafted, TARGET.log().softmax(-1)), drafted)


@pytest.mark.parametrize(
    ("drafted", "outcomes", "expected"),
    [
        ([], [4], [4]),
        ([1, 2], [1, 2, 3], [1, 2, 3]),
        ([1, 2], [1, 5, 3], [1, 5]),
        ([1, 2], [9, 2, 3], [9]),
        ([1, 2], [9], [9]),
    ],
)
def test_what_is_said(drafted, outcomes, expected):
    assert said(drafted, outcomes) == expected
