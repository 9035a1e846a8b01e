"""PyTorch's products of packed weights on the CPU, under names of ours where a step is compiled.

The compiler of PyTorch 2.13 wants to lower the products itself and fails on inputs that it has fused; operations that
it does not know it leaves as they are.

M rows of the input   I input width   O output width   G inputs in a group
"""

import torch
from torch import Tensor

from modelry.nn.opaque import opaque

_int4 = opaque(
    "int4_product",
    "Tensor x, Tensor kept, int group_size, Tensor scale_and_zero",
    lambda x, *rest: torch._weight_int4pack_mm_for_cpu(x.contiguous(), *rest),
    lambda x, kept, group_size, scales: x.new_empty(x.shape[0], scales.shape[1]),
)
_int8 = opaque(
    "int8_product",
    "Tensor x, Tensor weight, Tensor scale",
    lambda x, weight, scale: torch.ops.aten._weight_int8pack_mm(x.contiguous(), weight, scale.contiguous()),
    lambda x, weight, scale: x.new_empty(x.shape[0], weight.shape[0]),
)


def int4_product(x: Tensor, kept: Tensor, group_size: int, scale_and_zero: Tensor) -> Tensor:
    """x W^T of groups of 4-bit integers in the CPU kernel's layout.

    Args:
        x: (M, I).
        kept: as `_convert_weight_to_int4pack_for_cpu` lays them.
        scale_and_zero: (I / G, O, 2) in x.dtype.

    Returns:
        (M, O).
    """
    kernel = _int4 if torch.compiler.is_compiling() else torch._weight_int4pack_mm_for_cpu
    return kernel(x, kept, group_size, scale_and_zero)


def int8_product(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """x W^T with W = weight * scale.

    Args:
        x: (M, I), I a multiple of 16 (PyTorch 2.13 reads past the row else).
        weight: (O, I) int8.
        scale: (O,) in x.dtype.

    Returns:
        (M, O).
    """
    kernel = _int8 if torch.compiler.is_compiling() else torch.ops.aten._weight_int8pack_mm
    return kernel(x, weight, scale)
