"""Small integers in the 32-bit ones of a file: the first in the lowest bits, 8 of 4 bits or 4 of 8 bits in each.

C integers of 32 bits in a row   F small ones in each: 32 / bits
In between all is one row: `contiguous` keeps the strides of sides of 1, and some allow no view in another dtype.
"""

import torch
from torch import Tensor

NIBBLE = 4


def spread(packed: Tensor, *, bits: int) -> Tensor:
    """(..., C) int32 to (..., C, F) small integers, as bytes."""
    whole_bytes = packed.contiguous().view(-1).view(torch.uint8).view(*packed.shape, 4)
    if bits == 8:
        return whole_bytes
    return torch.stack([whole_bytes & 15, whole_bytes >> NIBBLE], dim=-1).flatten(-2)


def gather(fields: Tensor, *, bits: int) -> Tensor:
    """The inverse: (..., C, F) bytes to (..., C) int32."""
    whole_bytes = fields if bits == 8 else fields[..., 0::2] | (fields[..., 1::2] << NIBBLE)
    return whole_bytes.contiguous().view(-1).view(torch.int32).view(fields.shape[:-1])
