"""Small integers in 32-bit ones: the first in the lowest bits, and back."""

import pytest
import torch

from modelry.packed.int32_fields import gather, spread


@pytest.mark.parametrize("bits", [4, 8])
def test_each_field(bits: int) -> None:
    words = [0x12345678, 0x7FEDCBA9, 0xF0000001]
    packed = torch.tensor([[word - (1 << 32) if word >> 31 else word for word in words]]).int()
    expected = [[word >> shift & (2**bits - 1) for shift in range(0, 32, bits)] for word in words]
    found = spread(packed, bits=bits)
    assert (found.dtype, found.tolist()) == (torch.uint8, [expected])
    assert torch.equal(gather(found, bits=bits), packed)


@pytest.mark.parametrize("bits", [4, 8])
def test_back_from_a_transposed_one(bits: int) -> None:
    fields = torch.randint(2**bits, (3, 5, 32 // bits), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    packed = gather(fields.transpose(0, 1), bits=bits)
    assert (packed.shape, packed.dtype) == ((5, 3), torch.int32)
    assert torch.equal(spread(packed, bits=bits).transpose(0, 1), fields)


def test_sides_of_one() -> None:
    """Of a layer with as many outputs as one integer holds; torch calls any stride of theirs contiguous."""
    packed = torch.arange(6, dtype=torch.int32).as_strided((6, 1), (1, 8))
    fields = spread(packed, bits=8)
    assert fields.flatten()[::4].tolist() == list(range(6))
    assert gather(fields.clone().as_strided((6, 1, 4), (4, 3, 1)), bits=8).stride() == (1, 1)
