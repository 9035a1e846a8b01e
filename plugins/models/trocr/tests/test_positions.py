"""Computed positions, by the formula for single values."""

import math

import torch

from modelry_trocr.positions import SinusoidalPositions, sinusoids


def test_sines_then_cosines() -> None:
    found = sinusoids(torch.tensor([[0, 5]]), 6)
    assert found[0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    expected = [wave(5 / 10000 ** (pair / 2)) for wave in (math.sin, math.cos) for pair in range(3)]
    torch.testing.assert_close(found[0, 1], torch.tensor(expected))


def test_an_odd_width_ends_with_a_zero() -> None:
    found = sinusoids(torch.tensor([[3]]), 5)
    assert found.shape == (1, 1, 5)
    assert float(found[0, 0, -1]) == 0
    assert sinusoids(torch.tensor([[3]]), 2).isfinite().all()


def test_the_first_position_is_behind_paddings_number() -> None:
    positions = SinusoidalPositions(8, padding=1)
    assert positions(torch.tensor([[0, 4]])).equal(sinusoids(torch.tensor([[2, 6]]), 8))
