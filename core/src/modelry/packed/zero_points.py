"""Integers with a scale and an integer zero point for each group of inputs: for PyTorch's 4-bit kernels, from floats.

I input width   O output width   G inputs in a group   Q groups in a row: I / G   K inputs in a group of the kernel
An integer n stands for (n - zero) * scale. PyTorch has no 8-bit product with groups: n = 16 * high + low is exact, so a
layer of 8 bits is one of 4 bits with twice the inputs, which are given twice.
"""

import torch
from torch import Tensor

from modelry.errors import QuantizationError
from modelry.packed.int4_packing import MIDDLE, fold, unfold

GROUPS_OF_KERNEL = (256, 128, 64, 32)
WEIGHTS_AT_A_TIME = 1 << 18
"""Bounds the memory that rounding takes beside the weight: a few float32 copies of so many."""


def group_of_kernel(group_size: int, *, inputs: int) -> int:
    """K: the largest group the kernels know that divides G. A row that is one group of any length has no kernel, and a
    plain product.

    Raises:
        QuantizationError: G does not divide I, or no group of the kernels divides G.
    """
    if inputs % group_size:
        raise QuantizationError(f"{inputs} inputs are no multiple of group_size {group_size}")
    for size in GROUPS_OF_KERNEL:
        if group_size % size == 0:
            return size
    if group_size == inputs and inputs % 32:
        return inputs
    raise QuantizationError(f"group_size {group_size} is no multiple of 32, as the 4-bit kernels need")


def for_kernel(integers: Tensor, *, bits: int) -> Tensor:
    """(O, I) integers as the file of a 4-bit layer has them: of 8 bits the upper halves, then the lower ones.

    Returns:
        (O, I bits / 8) bytes.
    """
    return fold(integers) if bits == 4 else torch.cat([fold(integers >> 4), fold(integers & 15)], dim=1)


def from_kernel(packed: Tensor, *, bits: int) -> Tensor:
    """The inverse of `for_kernel`."""
    integers = unfold(packed)
    if bits == 4:
        return integers
    high, low = integers.chunk(2, dim=1)
    return (high << 4) | low


def scales_for_kernel(scales: Tensor, zeros: Tensor, *, bits: int, repeats: int) -> Tensor:
    """What the kernel, which reads an integer n as (n - 8) * scale + zero, is to be given.

    Args:
        scales: (Q, O).
        zeros: (Q, O) zero points.
        repeats: G / K.

    Returns:
        (I / K, O, 2), or (2 I / K, O, 2) for 8 bits; float32, exact for scales of 16 bits.
    """
    scale = scales.float().repeat_interleave(repeats, dim=0)
    point = zeros.float().repeat_interleave(repeats, dim=0)
    if bits == 4:
        return torch.stack([scale, (MIDDLE - point) * scale], dim=-1)
    # 16 high + low - zero = 16 (high - 8) + (low - 8) + (136 - zero)
    high = torch.stack([16 * scale, torch.zeros_like(scale)], dim=-1)
    return torch.cat([high, torch.stack([scale, (17 * MIDDLE - point) * scale], dim=-1)])


def stood_for(integers: Tensor, scales: Tensor, zeros: Tensor, *, dtype: torch.dtype) -> Tensor:
    """(O, I) weight that the integers stand for, computed in float32; groups lie together."""
    groups, outputs = scales.shape
    grouped = integers.view(outputs, groups, -1).float()
    grouped.sub_(zeros.t().float().unsqueeze(-1)).mul_(scales.t().float().unsqueeze(-1))
    return grouped.view(outputs, -1).to(dtype)


def round_to_nearest(
    weight: Tensor, *, bits: int, group_size: int, symmetric: bool, lowest_zero: int = 0, name: str = "the weight"
) -> tuple[Tensor, Tensor, Tensor]:
    """Integers, scales and zero points of a float weight, each group by itself.

    Scales are rounded to float16, as files have them, before the integers are chosen.

    Args:
        weight: (O, I), floating; I is a multiple of group_size.
        symmetric: the zero point is the middle, 2 ** (bits - 1).
        lowest_zero: smallest zero point to choose.
        name: for the error.

    Returns:
        (O, I) bytes, (Q, O) float16 scales, (Q, O) bytes of zero points.

    Raises:
        QuantizationError: a value is infinite or no number.
    """
    outputs, inputs = weight.shape
    highest, middle = 2**bits - 1, 2 ** (bits - 1)
    integers = torch.empty(outputs, inputs, dtype=torch.uint8, device=weight.device)
    scales = torch.empty(outputs, inputs // group_size, dtype=torch.float16, device=weight.device)
    zeros = torch.full_like(scales, middle, dtype=torch.uint8)
    at_a_time = max(1, WEIGHTS_AT_A_TIME // inputs)
    for start in range(0, outputs, at_a_time):
        rows = slice(start, start + at_a_time)
        groups = weight[rows].float().view(-1, inputs // group_size, group_size)
        low, high = groups.aminmax(dim=-1)
        if not (torch.isfinite(low).all() and torch.isfinite(high).all()):
            raise QuantizationError(f"{name} has a value that is infinite or no number, and has no {bits}-bit form")
        low, high = low.clamp(max=0), high.clamp(min=0)
        step = torch.maximum(-low, high) / (middle - 0.5) if symmetric else (high - low) / highest
        scale = step.clamp(min=2.0**-24).half()  # the smallest that float16 has
        if not torch.isfinite(scale).all():
            raise QuantizationError(f"{name} has values too large for scales of float16")
        wide = scale.float()
        if not symmetric:
            zeros[rows] = (-low / wide).round_().clamp_(lowest_zero, highest).to(torch.uint8)
        scales[rows] = scale
        found = (groups / wide.unsqueeze(-1)).round_().add_(zeros[rows].float().unsqueeze(-1))
        integers[rows] = found.clamp_(0, highest).to(torch.uint8).view(-1, inputs)
    return integers, scales.t().contiguous(), zeros.t().contiguous()
