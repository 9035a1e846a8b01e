"""PyTorch's products of packed weights on the CPU, under names of ours where a step is compiled.

The compiler of PyTorch 2.13 wants to lower the products itself and fails on inputs that it has fused; operations that
it does not know it leaves as they are.

M rows of the input   I input width   O output width   G inputs in a group
"""

from collections.abc import Callable

import torch
from torch import Tensor

_LIBRARY = torch.library.Library("modelry", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's


def _named(
    name: str, arguments: str, product: Callable[..., Tensor], outputs: Callable[..., int]
) -> Callable[..., Tensor]:
    """An operation of ours that calls PyTorch's.

    Args:
        outputs: O, of the operation's arguments.
    """
    _LIBRARY.define(f"{name}(Tensor x, {arguments}) -> Tensor")  # type: ignore[no-untyped-call]  # torch's
    _LIBRARY.impl(name, lambda x, *rest: product(x.contiguous(), *rest), "CPU")  # type: ignore[no-untyped-call]  # torch's
    _LIBRARY.impl(name, lambda x, *rest: x.new_empty(x.shape[0], outputs(*rest)), "Meta")  # type: ignore[no-untyped-call]  # torch's
    operation: Callable[..., Tensor] = getattr(torch.ops.modelry, name).default
    return operation


_int4 = _named(
    "int4_product",
    "Tensor kept, int group_size, Tensor scale_and_zero",
    torch._weight_int4pack_mm_for_cpu,
    lambda kept, group_size, scales: int(scales.shape[1]),
)
_int8 = _named(
    "int8_product",
    "Tensor weight, Tensor scale",
    lambda x, weight, scale: torch.ops.aten._weight_int8pack_mm(x, weight, scale.contiguous()),
    lambda weight, scale: int(weight.shape[0]),
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
