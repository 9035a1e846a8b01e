"""PyTorch's product of a matrix and a vector under a name of ours, where a step is compiled.

The compiler of PyTorch 2.13 writes that product anew, as a loop that reads a bfloat16 weight at 5 GB/s instead of 9
(one CPU core); an operation that it does not know it leaves as it is.

I input width   O output width
"""

import torch
from torch import Tensor

from modelry.nn.processor import has_bfloat16_lanes


def _multiplied(weight: Tensor, row: Tensor) -> Tensor:
    if weight.dtype is torch.bfloat16 and has_bfloat16_lanes():
        return torch.mm(row.unsqueeze(0), weight.t()).view(-1)
    return torch.mv(weight, row)


_LIBRARY = torch.library.Library("modelry", "FRAGMENT")
_LIBRARY.define("row_product(Tensor weight, Tensor row) -> Tensor")
_LIBRARY.impl("row_product", _multiplied, "CPU")
_LIBRARY.impl("row_product", lambda weight, row: row.new_empty(weight.shape[0]), "Meta")


def row_product(weight: Tensor, row: Tensor) -> Tensor:
    """W x, of a weight (O, I) and a row (I,), without a gradient: (O,)."""
    found: Tensor = torch.ops.modelry.row_product.default(weight, row)
    return found
