"""Kernels that only CUDA has, as plain products: their shapes and dtypes are checked by PyTorch's own rules for them.

M rows   I inputs   O outputs
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

aten: Any = torch.ops.aten
CPU_ONLY = ("for_cpu", "_cpu.", "mkldnn", "_int8pack_mm", "_weight_int4pack_mm_with")
"""Words in the names of operations that CUDA does not have."""


def _check(holds: bool, what: str) -> None:
    """Refuse what CUDA's kernel refuses; its rules are read from PyTorch's sources (int4mm.cu, Blas.cpp)."""
    if not holds:
        raise RuntimeError(f"CUDA's kernel wants {what}")


def _converted(packed: Tensor, tiles: int) -> Tensor:
    """(O, I / 2) bytes in the shape that the product takes. Where what lies is the kernel's affair: here as before."""
    outputs, inputs = packed.shape[0], 2 * packed.shape[1]
    _check(packed.dtype == torch.uint8 and packed.is_contiguous(), "contiguous bytes")
    _check(tiles in (2, 4, 8) and inputs % (16 * tiles) == 0, f"inputs in {tiles} tiles of 16, found {inputs}")
    _check(outputs % 8 == 0, f"a multiple of 8 outputs, found {outputs}")
    return packed.view(torch.int32).view(outputs // 8, inputs // (16 * tiles), 32, tiles // 2).clone()


def _int4_product(x: Tensor, weight: Tensor, group: int, scale_and_zero: Tensor) -> Tensor:
    """(M, O) bfloat16: each integer less 8, times its group's scale, plus its zero. Even inputs lie in upper halves."""
    bfloat16, inputs, outputs = torch.bfloat16, x.shape[1], 8 * weight.shape[0]
    _check(x.dtype == bfloat16 == scale_and_zero.dtype, f"bfloat16, found {x.dtype} and {scale_and_zero.dtype}")
    _check(x.is_contiguous() and weight.is_contiguous() and scale_and_zero.is_contiguous(), "contiguous tensors")
    _check(weight.dtype == torch.int32 and weight.dim() == 4, "a weight that was converted")
    _check(group in (32, 64, 128, 256) and inputs % group == 0, f"groups of 32 to 256, found {group}")
    _check(
        tuple(scale_and_zero.shape) == (inputs // group, outputs, 2),
        f"scales (I / G, O, 2), not {tuple(scale_and_zero.shape)}",
    )
    _check(weight.numel() * 8 == inputs * outputs, "a weight as wide as the input")
    pairs = weight.reshape(outputs, -1).view(torch.uint8)
    integers = torch.stack((pairs >> 4, pairs & 15), dim=-1).view(outputs, -1).float()
    scale, zero = (one.t().float().repeat_interleave(group, dim=1) for one in scale_and_zero.unbind(-1))
    whole = ((integers - 8) * scale + zero).bfloat16()
    return (x.float() @ whole.float().t()).bfloat16()


def _scaled_product(
    a: Tensor,
    b: Tensor,
    a_scale: Tensor,
    b_scale: Tensor,
    bias: Tensor | None = None,
    scale_result: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
    use_fast_accum: bool = False,
) -> Tensor:
    """(M, O): rows of e4m3 numbers, times columns of them, with a scale for each."""
    (rows, inputs), outputs = a.shape, b.shape[1]
    _check(a.dtype == torch.float8_e4m3fn == b.dtype, f"e4m3 numbers, found {a.dtype} and {b.dtype}")
    _check(a.stride() == (inputs, 1) and b.stride() == (1, inputs), "rows that lie together, and columns that do")
    _check(inputs % 16 == 0 and outputs % 16 == 0, f"widths that are multiples of 16, found {inputs} and {outputs}")
    _check(a_scale.dtype == torch.float32 == b_scale.dtype, "scales in float32")
    _check((a_scale.shape, b_scale.shape) == ((rows, 1), (1, outputs)), "a scale for each row and each column")
    _check(a_scale.is_contiguous() and b_scale.is_contiguous(), "contiguous scales")
    _check(out_dtype == torch.bfloat16 and bias is None, "a result in bfloat16 where each row has its scale")
    return ((a.float() * a_scale) @ (b.float() * b_scale)).bfloat16()


def _widened(packet: Any) -> Callable[..., Tensor]:
    """A softmax that widens float16 while it computes, as autocast asks of GPUs."""

    def softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
        found: Tensor = packet(x.float() if half_to_float else x, dim, False)
        return found

    return softmax


def _narrowed(packet: Any) -> Callable[..., Tensor]:
    """Its gradient, in the dtype of what went in."""

    def backward(grad: Tensor, out: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
        found: Tensor = packet(grad, out, dim, grad.dtype)
        return found.to(dtype)

    return backward


STANDING_IN: Mapping[Any, Callable[..., Tensor]] = {
    aten._convert_weight_to_int4pack: _converted,
    aten._weight_int4pack_mm: _int4_product,
    aten._scaled_mm: _scaled_product,
    aten._softmax: _widened(aten._softmax),
    aten._log_softmax: _widened(aten._log_softmax),
    aten._softmax_backward_data: _narrowed(aten._softmax_backward_data),
    aten._log_softmax_backward_data: _narrowed(aten._log_softmax_backward_data),
}
