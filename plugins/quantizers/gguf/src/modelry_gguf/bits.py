"""Bit fields and float16 scales out of packed bytes. What they mean: legacy_blocks and k_blocks.

N blocks   B bytes   all byte tensors are uint8.
"""

import torch
from torch import Tensor


def half(blocks: Tensor, start: int) -> Tensor:
    """(N, 1) float32: the float16 that every block holds at byte `start`."""
    return blocks[:, start : start + 2].contiguous().view(torch.float16).float()


def fields(packed: Tensor, width: int) -> Tensor:
    """(N, B) bytes to (N, 8/width, B): field i of every byte, the lowest bits first."""
    return torch.stack([(packed >> shift) & ((1 << width) - 1) for shift in range(0, 8, width)], dim=1)


def planes(packed: Tensor, width: int, group: int) -> Tensor:
    """(N, B) bytes to (N, B * 8/width) fields; each `group` bytes give their first fields, then their second ones."""
    count, size = packed.shape
    return fields(packed.reshape(-1, group), width).reshape(count, size * 8 // width)


def single_bits(packed: Tensor) -> Tensor:
    """(N, B) bytes to (N, 8 * B) bits in the order of the numbers they make: byte by byte, the lowest bit first."""
    return ((packed[:, :, None] >> torch.arange(8, dtype=torch.uint8)) & 1).flatten(1)
