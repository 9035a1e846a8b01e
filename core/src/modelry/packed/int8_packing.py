"""How a float weight becomes 8-bit integers and scales.

I input width   O output width
"""

import torch
from torch import Tensor

from modelry.errors import QuantizationError

LARGEST = 127
WEIGHTS_AT_A_TIME = 1 << 18
"""Bounds the memory that packing takes beside the weight: a few float32 copies of so many."""


def pack_rows(weight: Tensor, *, name: str = "the weight") -> tuple[Tensor, Tensor]:
    """Symmetric, one scale for each output row: each row's largest value becomes LARGEST.

    The scale is rounded to bfloat16 first and the weight divided by the rounded one, so that rounding it costs nothing.

    Args:
        weight: (O, I), floating.
        name: for the error.

    Returns:
        (O, I) int8 integers and (O,) bfloat16 scales; a weight is their product.

    Raises:
        QuantizationError: a value is infinite or no number.
    """
    integers = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scale = torch.empty(weight.shape[0], dtype=torch.bfloat16, device=weight.device)
    rows_at_a_time = max(1, WEIGHTS_AT_A_TIME // max(1, weight.shape[1]))
    for start in range(0, weight.shape[0], rows_at_a_time):
        part = slice(start, start + rows_at_a_time)
        rows = weight[part].float()
        largest = rows.abs().amax(dim=1)
        if not torch.isfinite(largest).all():
            row = start + int((~torch.isfinite(largest)).nonzero()[0])
            raise QuantizationError(
                f"{name} has a value in row {row} that is infinite or no number, and has no 8-bit form"
            )
        scale[part] = largest.clamp(min=torch.finfo(torch.bfloat16).tiny * LARGEST) / LARGEST
        integers[part] = (rows / scale[part].float().unsqueeze(1)).round_().clamp_(-LARGEST, LARGEST)
    return integers, scale
