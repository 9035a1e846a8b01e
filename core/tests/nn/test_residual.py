"""Blocks left out in training, and scaled ones."""

import pytest
import torch

from modelry.nn.residual import LayerScale, drop_path, rising_rates


def test_nothing_is_dropped_outside_of_training() -> None:
    x = torch.randn(3, 2)
    assert drop_path(x, 0.5, training=False) is x
    assert drop_path(x, 0.0, training=True) is x


def test_whole_rows_are_dropped_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    dropped = drop_path(torch.ones(4000, 3), 0.25, training=True)
    assert set(dropped.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.75))}
    assert dropped.eq(dropped[:, :1]).all()
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.05)


def test_rates_rise_from_zero() -> None:
    assert rising_rates(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert rising_rates(0.3, 1) == [0.0]


def test_a_scale_starts_where_it_is_told() -> None:
    scale = LayerScale(3, start=0.5)
    assert scale(torch.ones(2, 3)).tolist() == [[0.5] * 3] * 2
