"""One token of each row: torch.argmax is the oracle of the likeliest, the probabilities that of the draw."""

import pytest
import torch

from modelry.generation import draw, likeliest


@pytest.mark.parametrize("vocabulary", [1, 7, 4095, 4096, 5000, 49152, 50257])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_likeliest_is_the_first_maximum(vocabulary, dtype):
    """bfloat16 makes many scores equal."""
    scores = torch.randn(4, vocabulary, generator=torch.Generator().manual_seed(vocabulary)).to(dtype)
    scores[1, -1] = 9
    scores[2] = 0
    assert torch.equal(likeliest(scores), scores.argmax(-1))


@pytest.mark.parametrize("vocabulary", [10, 5000])
def test_nan_and_infinity_are_like_argmax(vocabulary):
    scores = torch.full((4, vocabulary), float("-inf"))
    scores[0, vocabulary - 3] = 1
    scores[1, vocabulary // 2] = float("nan")
    scores[2, 5] = float("inf")
    assert torch.equal(likeliest(scores), scores.argmax(-1))


def test_rows_of_a_larger_tensor():
    logits = torch.randn(3, 4, 6000)
    assert torch.equal(likeliest(logits[:, -1]), logits[:, -1].argmax(-1))


def test_draws_follow_the_probabilities():
    """Chi-square with 5 degrees of freedom: 20.5 is passed once in a thousand seeds, and the seed is fixed."""
    shares = torch.tensor([0.5, 0.2, 0.0, 0.15, 0.1, 0.04, 0.01])
    count = 20_000
    found = draw(shares.log().expand(count, -1), torch.Generator().manual_seed(0)).bincount(minlength=7).float()
    expected = shares * count
    used = shares > 0
    assert found[2] == 0
    assert (((found - expected) ** 2)[used] / expected[used]).sum() < 20.5


def test_the_last_tokens_of_a_large_vocabulary_get_their_share():
    scores = torch.zeros(4000, 50_000)
    found = draw(scores, torch.Generator().manual_seed(0)).float()
    assert found.min() >= 0
    assert found.max() < 50_000
    assert abs(found.mean() - 24_999.5) < 4 * 50_000 / (12 * 4000) ** 0.5


def test_a_generator_decides():
    scores = torch.randn(5, 30, generator=torch.Generator().manual_seed(1))
    one = draw(scores, torch.Generator().manual_seed(7))
    torch.rand(3)
    assert torch.equal(one, draw(scores, torch.Generator().manual_seed(7)))


def test_a_token_of_probability_zero_never_comes():
    scores = torch.full((2000, 3), float("-inf"))
    scores[:, 1] = 0
    assert draw(scores).unique().tolist() == [1]


def test_what_is_no_distribution_shows_where_it_is_drawn_from():
    """One NaN among finite scores must not become a token that looks like any other."""
    scores = torch.zeros(4, 9)
    scores[0, 3], scores[1, 5], scores[2] = float("nan"), float("inf"), float("-inf")
    chosen = draw(scores)
    assert chosen[:2].tolist() == [3, 5]
    assert not scores.gather(1, chosen[:3, None]).isfinite().any()
    generator = torch.Generator()
    assert draw(scores, generator.manual_seed(2))[3] == draw(torch.zeros(4, 9), generator.manual_seed(2))[3]
