"""Holding a file's tensors against what a layer needs: bitsandbytes' kernels trust the sizes they are given."""

import torch
from torch import Tensor

from modelry.errors import QuantizationError


def refuse_other(name: str, tensor: Tensor | None, size: int, dtype: torch.dtype) -> None:
    """Pass a tensor of so many values in this dtype.

    Raises:
        QuantizationError: it is missing, or another.
    """
    if tensor is None:
        raise QuantizationError(f"the checkpoint has no {name}")
    if tensor.numel() != size or tensor.dtype != dtype:
        raise QuantizationError(
            f"{name} has {tensor.numel():,} values of {tensor.dtype} in the checkpoint, and the layer needs "
            f"{size:,} of {dtype}"
        )
