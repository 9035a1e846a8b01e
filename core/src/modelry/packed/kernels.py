"""PyTorch's products of packed weights on the CPU, which its compiler calls as they are.

M rows of the input   I input width   O output width   G inputs in a group
"""

import torch
from torch import Tensor


def int4_product(x: Tensor, kept: Tensor, group_size: int, scale_and_zero: Tensor) -> Tensor:
    """x W^T of groups of 4-bit integers in the CPU kernel's layout.

    Args:
        x: (M, I).
        kept: as `_convert_weight_to_int4pack_for_cpu` lays them.
        scale_and_zero: (I / G, O, 2) in x.dtype.

    Returns:
        (M, O).
    """
    return torch._weight_int4pack_mm_for_cpu(x, kept, group_size, _made(scale_and_zero))


def int8_product(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """x W^T with W = weight * scale.

    Args:
        x: (M, I), I a multiple of 16 (PyTorch 2.13 reads past the row else).
        weight: (O, I) int8.
        scale: (O,) in x.dtype.

    Returns:
        (M, O).
    """
    y: Tensor = torch.ops.aten._weight_int8pack_mm(x, weight, _made(scale))
    return y


def _made(scale: Tensor) -> Tensor:
    """The scales; in a compiled program as they stand in memory. The compiler of PyTorch 2.13 fails on those that it
    means to cast on the way (it asserts that there are none), and as_strided is what it always makes."""
    if not torch.compiler.is_compiling():
        return scale
    scale = scale.contiguous()
    return scale.as_strided(scale.shape, scale.stride())
