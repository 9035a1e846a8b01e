"""Scales in blocks, and e4m3 numbers as floats, against PyTorch's own conversion."""

import pytest
import torch

from modelry.errors import QuantizationError
from modelry.packed.scaled_packing import E4M3, LARGEST, as_floats, pack_blocks, refuse_no_numbers


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_number_exactly(dtype: torch.dtype) -> None:
    every = torch.arange(256, dtype=torch.int32).to(torch.uint8)
    numbers = every[(every & 127) != 127].view(E4M3)
    found = as_floats(numbers, dtype)
    assert found.dtype == dtype
    assert torch.equal(found, numbers.to(dtype))


@pytest.mark.parametrize("block", [(32, 48), (1, 48), (8, 16), (10, 20), (1000, 1000), (1, 7)])
def test_blocks_against_loops(block: tuple[int, int]) -> None:
    torch.manual_seed(0)
    weight = torch.randn(32, 48)
    weight[3] = 0
    numbers, scale = pack_blocks(weight, block=block)
    high, wide = min(block[0], 32), min(block[1], 48)
    assert scale.shape == (-(-32 // high), -(-48 // wide))
    for row in range(scale.shape[0]):
        for column in range(scale.shape[1]):
            part = slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide)
            expected = weight[part].abs().max() / LARGEST
            assert scale[row, column] == expected.clamp(min=torch.finfo(torch.float32).tiny)
            assert torch.equal(numbers[part].float(), (weight[part] / scale[row, column]).to(E4M3).float())


def test_rows_beyond_one_part() -> None:
    weight = torch.randn(300, 2048)
    numbers, scale = pack_blocks(weight.bfloat16(), block=(128, 128))
    assert scale.shape == (3, 16)
    whole = numbers.float() * scale.repeat_interleave(128, 0)[:300].repeat_interleave(128, 1)
    assert (whole - weight).norm() < 0.04 * weight.norm()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_has_no_form(value: float) -> None:
    weight = torch.ones(4, 4)
    weight[2, 1] = value
    with pytest.raises(QuantizationError, match=r"up_proj.weight has a value that is infinite or no number"):
        pack_blocks(weight, block=(2, 2), name="up_proj.weight")


def test_no_numbers_in_a_file() -> None:
    numbers = torch.ones(4, 4).to(E4M3)
    refuse_no_numbers(numbers, name="w")
    numbers.view(torch.uint8)[1, 1] = 0xFF
    with pytest.raises(QuantizationError, match="w has a value that is no number"):
        refuse_no_numbers(numbers, name="w")
