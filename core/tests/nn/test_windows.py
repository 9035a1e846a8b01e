"""Planes cut into windows and put together again, rolled and padded."""

import pytest
import torch

from modelry.nn.windows import cut_windows, relative_bias, relative_index

CPU = torch.device("cpu")


def test_a_plane_is_cut_line_by_line() -> None:
    windows = cut_windows((4, 6), 2, shift=0, device=CPU)
    cut = windows.cut(torch.arange(24.0).view(1, 24, 1))
    assert cut[1, :, 0].tolist() == [2, 3, 8, 9]
    assert windows.strangers is None


@pytest.mark.parametrize("grid", [(4, 6), (5, 7), (3, 2)])
@pytest.mark.parametrize("shift", [0, 2])
def test_what_is_cut_is_joined(grid: tuple[int, int], shift: int) -> None:
    plane = torch.randn(2, grid[0] * grid[1], 3)
    windows = cut_windows(grid, 4, shift=shift, device=CPU)
    assert windows.join(windows.cut(plane), 2).equal(plane)


def test_rolling_is_torchs() -> None:
    plane = torch.arange(16.0).view(1, 4, 4, 1)
    windows = cut_windows((4, 4), 2, shift=1, device=CPU)
    rolled = plane.roll((-1, -1), (1, 2))
    assert windows.cut(plane.view(1, 16, 1))[0, :, 0].tolist() == rolled[0, :2, :2, 0].flatten().tolist()


def test_padding_is_zero() -> None:
    windows = cut_windows((3, 3), 2, shift=0, device=CPU)
    cut = windows.cut(torch.ones(1, 9, 1))
    assert cut[3, :, 0].tolist() == [1, 0, 0, 0]


def test_patches_rolled_in_from_the_other_border_are_strangers() -> None:
    strangers = cut_windows((4, 4), 2, shift=1, device=CPU).strangers
    assert strangers is not None
    assert strangers.shape == (4, 1, 4, 4)
    assert not strangers[0].any()
    assert strangers[1, 0].tolist() == [[x != y for y in (0, 1, 0, 1)] for x in (0, 1, 0, 1)]
    assert strangers[3, 0].equal(~torch.eye(4, dtype=torch.bool))


def test_strangers_are_forbidden_for_every_image() -> None:
    windows = cut_windows((4, 4), 2, shift=1, device=CPU)
    bias = windows.bias(torch.ones(1, 3, 4, 4), 2)
    assert bias.shape == (8, 3, 4, 4)
    assert bias[4:].equal(bias[:4])
    assert bias[3, 2].diagonal().tolist() == [1] * 4
    assert torch.isinf(bias[3]).sum() == 3 * 12


def test_the_bias_is_that_of_the_distance() -> None:
    index = relative_index(3)
    table = torch.arange(25.0)[:, None]  # row 5 (y + 2) + x + 2 for a distance of y lines and x columns
    bias = relative_bias(table, index, 3)[0, 0]
    assert bias[0, 0] == 12
    assert bias[0, 8] == 0  # from the first place to the last: -2, -2
    assert bias[5, 0] == 5 * 3 + 4  # from the second line's third place to the first: 1, 2


def test_a_smaller_window_uses_the_same_distances() -> None:
    table = torch.randn(25, 2)
    smaller = relative_bias(table, relative_index(3), 2)
    rows = [0, 1, 3, 4]  # the upper left two by two places of the larger window
    assert smaller.equal(relative_bias(table, relative_index(3), 3)[:, :, rows][..., rows])
