"""How a float weight becomes 8-bit integers and scales.

I input width   O output width
"""

import torch
from torch import Tensor

from modelry.errors import QuantizationError

LARGEST = 127


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
    rows = weight.float()
    largest = rows.abs().amax(dim=1)
    if not torch.isfinite(largest).all():
        row = int((~torch.isfinite(largest)).nonzero()[0])
        raise QuantizationError(f"{name} has a value in row {row} that is infinite or no number, and has no 8-bit form")
    scale = (largest.clamp(min=torch.finfo(torch.bfloat16).tiny * LARGEST) / LARGEST).to(torch.bfloat16)
    integers = (rows / scale.float().unsqueeze(1)).round_().clamp_(-LARGEST, LARGEST)
    return integers.to(torch.int8), scale
