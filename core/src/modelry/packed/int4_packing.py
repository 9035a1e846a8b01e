"""How a float weight becomes 4-bit integers in groups, and how they lie in a file: two in a byte.

I input width   O output width   G inputs in a group
An integer n of 0 ... 15 stands for (n - 8) * scale + zero, which is how PyTorch's 4-bit kernels read it.
"""

import torch
from torch import Tensor

from modelry.errors import QuantizationError

LEVELS = 16
MIDDLE = LEVELS // 2
LOWER, UPPER = 0x0F, 0xF0
"""Halves of a byte."""
SHARES = (1.0, 0.93)
"""Shares of a group's range that are tried, the better one kept. Cutting off the ends pays in large groups: the squared
error of normal weights falls by 4 % in groups of 32 and 9 % in groups of 128."""
WEIGHTS_AT_A_TIME = 1 << 18
"""Bounds the memory that packing takes beside the weight: a few float32 copies of so many."""


def pack_groups(weight: Tensor, *, group_size: int, name: str = "the weight") -> tuple[Tensor, Tensor]:
    """Asymmetric, with a scale and a zero for each group of inputs.

    Both are rounded to bfloat16 before the integers are chosen, so that rounding them costs little.

    Args:
        weight: (O, I), floating; I is a multiple of group_size.
        group_size: G.
        name: for the error.

    Returns:
        (O, I / 2) bytes, the even column in the upper half; (I / G, O, 2) bfloat16 scales and zeros.

    Raises:
        QuantizationError: a value is infinite or no number, or I is no multiple of G.
    """
    if weight.shape[1] % group_size:
        raise QuantizationError(f"{name} has {weight.shape[1]} inputs, which is no multiple of group_size {group_size}")
    rows_at_a_time = max(1, WEIGHTS_AT_A_TIME // weight.shape[1])
    parts = [_pack_rows(rows.float(), group_size, name) for rows in torch.split(weight, rows_at_a_time)]
    scale_and_zero = torch.cat([one for _, one in parts]).transpose(0, 1)  # (I / G, O, 2)
    return torch.cat([one for one, _ in parts]), scale_and_zero.contiguous()


def _pack_rows(rows: Tensor, group_size: int, name: str) -> tuple[Tensor, Tensor]:
    groups = rows.view(rows.shape[0], -1, group_size)
    low, high = groups.aminmax(dim=-1, keepdim=True)
    if not (torch.isfinite(low).all() and torch.isfinite(high).all()):
        raise QuantizationError(f"{name} has a value that is infinite or no number, and has no 4-bit form")
    error, scale, zero, integers = _try(groups, low, high, SHARES[0])
    for share in SHARES[1:]:
        other_error, other_scale, other_zero, other_integers = _try(groups, low, high, share)
        nearer = other_error < error
        error = torch.where(nearer, other_error, error)
        scale, zero = torch.where(nearer, other_scale, scale), torch.where(nearer, other_zero, zero)
        integers = torch.where(nearer, other_integers, integers)
    scale_and_zero = torch.cat([scale, zero], dim=-1).to(torch.bfloat16)
    return fold(integers.to(torch.uint8).view(rows.shape)), scale_and_zero


def _try(groups: Tensor, low: Tensor, high: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Squared error of each group, its scale, zero and integers, when the levels span a share of its range."""
    smallest = torch.finfo(torch.bfloat16).tiny
    step = (high - low) * (share / (LEVELS - 1))
    scale = step.clamp(min=smallest).bfloat16().float()
    zero = ((high + low + step) / 2).bfloat16().float()  # 8 levels below it, 7 above
    integers = ((groups - zero) / scale).round_().add_(MIDDLE).clamp_(0, LEVELS - 1)
    error = torch.addcmul(zero - groups, integers - MIDDLE, scale).square_().sum(dim=-1, keepdim=True)
    return error, scale, zero, integers


def fold(integers: Tensor) -> Tensor:
    """(O, I) integers of 0 ... 15, uint8, to (O, I / 2) bytes, the even column in the upper half.

    Two columns are one little-endian number of 16 bits, which takes half the time of reading every second byte.
    """
    pairs = integers.contiguous().view(torch.int16)
    return ((pairs & LOWER) << 4).bitwise_or_(pairs >> 8).to(torch.uint8)


def unfold(packed: Tensor) -> Tensor:
    """(O, I / 2) bytes to (O, I) integers of 0 ... 15, as bytes: the inverse."""
    wide = packed.to(torch.int16, memory_format=torch.contiguous_format)
    return (wide >> 4).bitwise_or_((wide & LOWER) << 8).view(torch.uint8)
