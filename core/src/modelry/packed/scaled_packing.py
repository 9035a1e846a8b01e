"""How a float weight becomes 8-bit floating numbers (e4m3) and scales, and how 8-bit numbers become floats again.

I input width   O output width   r outputs and c inputs of a block
An e4m3 number has a sign, 4 bits of exponent and 3 of fraction (https://arxiv.org/abs/2209.05433); 448 is the largest.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from modelry.errors import QuantizationError

E4M3 = torch.float8_e4m3fn
LARGEST = torch.finfo(E4M3).max
WEIGHTS_AT_A_TIME = 1 << 18
"""Bounds the memory that packing takes beside the weight: a few float32 copies of so many."""

_FRACTION_AND_EXPONENT = 0x7F
_WIDER = {  # dtype: whole numbers of its size, places to the left, what the other bias of its exponent is made up with
    torch.float16: (torch.int16, 7, 2.0**8),
    torch.bfloat16: (torch.int16, 4, 2.0**120),
    torch.float32: (torch.int32, 20, 2.0**120),
}


def blocks(length: int, size: int) -> int:
    """Blocks that a length has, the last one perhaps cut off."""
    return -(-length // size)


def pack_blocks(weight: Tensor, *, block: tuple[int, int], name: str = "the weight") -> tuple[Tensor, Tensor]:
    """Each block's largest value becomes LARGEST.

    Args:
        weight: (O, I), floating.
        block: (r, c); larger than the weight is one block.
        name: for the error.

    Returns:
        (O, I) e4m3 numbers, (blocks of O, blocks of I) float32 scales; a weight is their product.

    Raises:
        QuantizationError: a value is infinite or no number.
    """
    high, wide = min(block[0], weight.shape[0]), min(block[1], weight.shape[1])
    grid = blocks(weight.shape[0], high), blocks(weight.shape[1], wide)
    rows_at_a_time = max(1, WEIGHTS_AT_A_TIME // weight.shape[1])
    parts = torch.split(weight, rows_at_a_time)
    past_end = grid[1] * wide - weight.shape[1]
    largest = torch.cat([pad(one.abs(), (0, past_end)).view(-1, grid[1], wide).amax(2) for one in parts]).float()
    of_blocks = pad(largest, (0, 0, 0, grid[0] * high - weight.shape[0])).view(grid[0], high, grid[1]).amax(1)
    if not torch.isfinite(of_blocks).all():
        raise QuantizationError(f"{name} has a value that is infinite or no number, and has no 8-bit form")
    scale = (of_blocks / LARGEST).clamp_(min=torch.finfo(torch.float32).tiny)
    numbers = torch.empty(weight.shape, dtype=E4M3, device=weight.device)
    block_of = torch.arange(weight.shape[0], device=weight.device) // high
    for part, into, block_rows in zip(
        parts, torch.split(numbers, rows_at_a_time), torch.split(block_of, rows_at_a_time), strict=True
    ):
        by_column = scale[block_rows].repeat_interleave(wide, dim=1)[:, : weight.shape[1]]
        into.copy_((part.float() / by_column).clamp_(-LARGEST, LARGEST))
    return numbers, scale


def as_floats(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """8-bit numbers in another dtype, exactly.

    PyTorch 2.13 turns e4m3 into floats one by one on the CPU: 14.5 ms for (576, 1536) where moving the bits takes 1.3
    (one core of a Xeon). The number that stands for "no number" becomes 480: `refuse_no_numbers` looks for it.
    """
    if numbers.dtype != E4M3 or not numbers.is_cpu or dtype not in _WIDER:
        return numbers.to(dtype)
    whole, places, factor = _WIDER[dtype]
    bits = numbers.view(torch.int8).to(whole)  # the sign fills the upper bits
    sign = bits & torch.iinfo(whole).min
    return (
        bits.bitwise_and_(_FRACTION_AND_EXPONENT).bitwise_left_shift_(places).bitwise_or_(sign).view(dtype).mul_(factor)
    )


def refuse_no_numbers(numbers: Tensor, *, name: str) -> None:
    """Refuse an e4m3 weight with values that are no numbers.

    Raises:
        QuantizationError: there is one.
    """
    for part in torch.split(numbers.view(torch.uint8).flatten(), WEIGHTS_AT_A_TIME):
        if ((part & _FRACTION_AND_EXPONENT) == _FRACTION_AND_EXPONENT).any():
            raise QuantizationError(f"{name} has a value that is no number; the file is damaged, fetch it again")
