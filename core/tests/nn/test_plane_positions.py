"""Positions in a plane: rows and columns apart, counted among what is real."""

import math

import torch

from modelry.nn.plane_positions import plane_positions


def test_rows_and_columns_have_a_half_each() -> None:
    found = plane_positions(torch.ones(1, 3, 5), width=8)
    assert found.shape == (1, 8, 3, 5)
    assert (found[:, :4] == found[:, :4, :, :1]).all()
    assert (found[:, 4:] == found[:, 4:, :1]).all()
    share = 2 / (3 + 1e-6) * 2 * math.pi
    expected = torch.tensor([math.sin(share), math.cos(share), math.sin(share / 100), math.cos(share / 100)])
    torch.testing.assert_close(found[0, :4, 1, 0], expected)


def test_padding_does_not_move_what_is_real() -> None:
    padded = torch.zeros(2, 4, 6, dtype=torch.bool)
    padded[0, :3, :5] = padded[1] = True
    found = plane_positions(padded, width=12)
    torch.testing.assert_close(found[:1, :, :3, :5], plane_positions(torch.ones(1, 3, 5), width=12))
    torch.testing.assert_close(found[1:], plane_positions(torch.ones(1, 4, 6), width=12))


def test_an_image_of_padding_alone_has_finite_positions() -> None:
    assert torch.isfinite(plane_positions(torch.zeros(1, 2, 2), width=4)).all()
