"""Integers with scales and zero points: what the kernel is given stands for the same weight, and rounding is near."""

import pytest
import torch

from modelry.errors import QuantizationError
from modelry.packed.int4_packing import unfold
from modelry.packed.zero_points import (
    for_kernel,
    from_kernel,
    group_of_kernel,
    round_to_nearest,
    scales_for_kernel,
    stood_for,
)

OUTPUTS, INPUTS, GROUP = 6, 128, 64


@pytest.mark.parametrize("bits", [4, 8])
def test_the_kernel_reads_the_same_weight(bits: int) -> None:
    torch.manual_seed(0)
    integers = torch.randint(2**bits, (OUTPUTS, INPUTS)).to(torch.uint8)
    zeros = torch.randint(2**bits, (INPUTS // GROUP, OUTPUTS)).to(torch.uint8)
    scales = torch.rand(INPUTS // GROUP, OUTPUTS).half()
    packed = for_kernel(integers, bits=bits)
    assert packed.shape == (OUTPUTS, INPUTS * bits // 8)
    assert torch.equal(from_kernel(packed, bits=bits), integers)
    found = scales_for_kernel(scales, zeros, bits=bits, repeats=2)
    nibbles = unfold(packed).float()
    scale, zero = found.repeat_interleave(GROUP // 2, dim=0).unbind(-1)  # (inputs of the kernel, O)
    read = ((nibbles.t() - 8) * scale + zero).view(bits // 4, INPUTS, OUTPUTS).sum(0).t()
    expected = torch.empty(OUTPUTS, INPUTS)
    for row in range(OUTPUTS):
        for column in range(INPUTS):
            group = column // GROUP
            whole = int(integers[row, column]) - int(zeros[group, row])
            expected[row, column] = whole * scales[group, row].float()
    assert torch.equal(stood_for(integers, scales, zeros, dtype=torch.float32), expected)
    assert torch.allclose(read, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("group", "inputs", "expected"), [(128, 512, 128), (512, 512, 256), (96, 192, 32), (64, 64, 64), (24, 24, 24)]
)
def test_group_of_the_kernel(group: int, inputs: int, expected: int) -> None:
    assert group_of_kernel(group, inputs=inputs) == expected


def test_groups_without_a_kernel() -> None:
    with pytest.raises(QuantizationError, match="96 inputs are no multiple of group_size 64"):
        group_of_kernel(64, inputs=96)
    with pytest.raises(QuantizationError, match="group_size 16 is no multiple of 32"):
        group_of_kernel(16, inputs=96)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
def test_rounding_moves_a_weight_by_half_a_step(bits: int, symmetric: bool) -> None:
    weight = torch.randn(OUTPUTS, INPUTS, generator=torch.Generator().manual_seed(0)) + 0.5
    integers, scales, zeros = round_to_nearest(weight, bits=bits, group_size=32, symmetric=symmetric)
    assert (scales.shape, scales.dtype, zeros.shape, zeros.dtype) == ((4, 6), torch.float16, (4, 6), torch.uint8)
    assert not symmetric or (zeros == 2 ** (bits - 1)).all()
    step = scales.float().t().repeat_interleave(32, dim=1)
    assert ((stood_for(integers, scales, zeros, dtype=torch.float32) - weight).abs() <= 1.1 * step).all()


def test_zeros_stay_zeros_and_the_lowest_zero_point_holds() -> None:
    weight = torch.rand(2, 64, generator=torch.Generator().manual_seed(0))
    weight[0] = 0
    integers, scales, zeros = round_to_nearest(weight, bits=4, group_size=64, symmetric=False, lowest_zero=1)
    assert (zeros >= 1).all()
    assert not stood_for(integers, scales, zeros, dtype=torch.float32)[0].any()


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "infinite or no number"), (1e9, "too large")])
def test_what_has_no_form(value: float, said: str) -> None:
    weight = torch.zeros(2, 64)
    weight[1, 3] = value
    with pytest.raises(QuantizationError, match=f"layer.weight has .*{said}"):
        round_to_nearest(weight, bits=4, group_size=64, symmetric=True, name="layer.weight")
