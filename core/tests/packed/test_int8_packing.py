"""Integers and scales stand for the weight they were made of."""

import pytest
import torch

from modelry.errors import QuantizationError
from modelry.packed.int8_packing import pack_rows


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_weight_moves_by_at_most_half_a_step_of_its_row(size: float, dtype: torch.dtype) -> None:
    weight = (torch.randn(7, 40, generator=torch.Generator().manual_seed(0)) * size).to(dtype)
    integers, scale = pack_rows(weight)
    assert (integers.dtype, scale.dtype) == (torch.int8, torch.bfloat16)
    step = scale.float().unsqueeze(1)
    # rounding a scale down by 2^-9 cuts 127.25 steps to 127: a quarter step more, for the largest of a row
    assert ((integers * step - weight.float()).abs() <= step * 0.76).all()
    assert ((integers * step - weight.float()) / step).abs().mean() < 0.28
    assert integers.abs().amax() == 127


def test_a_row_of_zeros_stays_zero() -> None:
    integers, scale = pack_rows(torch.zeros(2, 16))
    assert not integers.any()
    assert torch.isfinite(scale).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_without_an_integer_is_named(value: float) -> None:
    weight = torch.ones(3, 16)
    weight[1, 4] = value
    with pytest.raises(QuantizationError, match=r"q_proj\.weight has a value in row 1"):
        pack_rows(weight, name="layers.0.q_proj.weight")
