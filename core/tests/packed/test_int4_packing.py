"""Integers, scales and zeros stand for the weight they were made of."""

import pytest
import torch

from modelry.errors import QuantizationError
from modelry.packed.int4_packing import fold, pack_groups, unfold


def stood_for(packed: torch.Tensor, scale_and_zero: torch.Tensor) -> torch.Tensor:
    """Written out element by element, as the scheme is defined."""
    integers = unfold(packed).float()
    outputs, inputs = integers.shape
    group = inputs // scale_and_zero.shape[0]
    weight = torch.empty(outputs, inputs)
    for row in range(outputs):
        for column in range(inputs):
            scale, zero = scale_and_zero[column // group, row].float()
            weight[row, column] = (integers[row, column] - 8) * scale + zero
    return weight


@pytest.mark.parametrize("group", [32, 64])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_a_weight_moves_by_at_most_its_step(group: int, shift: float) -> None:
    weight = torch.randn(6, 128, generator=torch.Generator().manual_seed(0)) + shift
    packed, scale_and_zero = pack_groups(weight, group_size=group)
    assert (packed.shape, packed.dtype) == ((6, 64), torch.uint8)
    assert (scale_and_zero.shape, scale_and_zero.dtype) == ((128 // group, 6, 2), torch.bfloat16)
    step = scale_and_zero[..., 0].float().t().repeat_interleave(group, dim=1)
    apart = (stood_for(packed, scale_and_zero) - weight).abs() / step
    assert apart.max() < 1.1
    assert apart.mean() < 0.3


def test_levels_of_a_grid_are_found_again() -> None:
    """What a 4-bit file holds, a step and a smallest value, is not changed by packing it again."""
    integers = torch.randint(16, (4, 64), generator=torch.Generator().manual_seed(0))
    integers[:, ::32], integers[:, 1::32] = 0, 15
    weight = (integers - 8) * 0.125 + 0.5
    packed, scale_and_zero = pack_groups(weight, group_size=32)
    assert torch.equal(unfold(packed).long(), integers)
    assert torch.equal(stood_for(packed, scale_and_zero), weight)


def test_constant_groups() -> None:
    weight = torch.full((2, 32), 0.75)
    weight[1] = 0
    assert torch.equal(stood_for(*pack_groups(weight, group_size=32)), weight)


def test_two_integers_lie_in_a_byte() -> None:
    integers = torch.randint(16, (5, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(unfold(fold(integers)), integers)
    assert fold(torch.tensor([[1, 2]], dtype=torch.uint8)).tolist() == [[0x12]]


def test_pieces_of_a_large_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.randn(9, 64, generator=torch.Generator().manual_seed(0))
    at_once = pack_groups(weight, group_size=32)
    monkeypatch.setattr("modelry.packed.int4_packing.WEIGHTS_AT_A_TIME", 130)
    assert all(torch.equal(*pair) for pair in zip(at_once, pack_groups(weight, group_size=32), strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_without_an_integer(value: float) -> None:
    weight = torch.ones(3, 32)
    weight[1, 4] = value
    with pytest.raises(QuantizationError, match=r"layers\.0\.q_proj\.weight has a value"):
        pack_groups(weight, group_size=32, name="layers.0.q_proj.weight")


def test_groups_that_do_not_divide() -> None:
    with pytest.raises(QuantizationError, match="48 inputs, which is no multiple of group_size 32"):
        pack_groups(torch.ones(3, 48), group_size=32)
