"""Blocks of a GGUF file as the integers, scales and zeros of packed layers, and back: whole numbers stay what they are.

O output width   I input width   R rows at a time   B = 32 weights of a block   N = I / B blocks of a row
"""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from modelry.packed.int4_packing import LOWER, MIDDLE, UPPER, unfold
from modelry_gguf.parameters import PackedType

BLOCK = 32
BYTES: Mapping[PackedType, int] = MappingProxyType({"Q4_0": 18, "Q4_1": 20, "Q8_0": 34})
"""Of a block."""
WEIGHTS_AT_A_TIME = 1 << 18
"""Bounds the memory that repacking takes beside the results, and keeps it in the processor's cache."""


def repacked(rows: Tensor, type_name: PackedType, *, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Blocks to packed tensors.

    Args:
        rows: (O, bytes of a row) uint8.
        dtype: of scales and zeros. The file has float16; float32 is exact.

    Returns:
        Q4_0, Q4_1: (O, I / 2) bytes and (N, O, 2) scales and zeros, as Int4Linear keeps them in a file.
        Q8_0: (O, I) int8 and (N, O) scales, as GroupedInt8Linear does.
    """
    outputs, blocks = rows.shape[0], rows.shape[1] // BYTES[type_name]
    eight = type_name == "Q8_0"
    integers = torch.empty(outputs, blocks * BLOCK // (1 if eight else 2), dtype=torch.int8 if eight else torch.uint8)
    numbers = torch.empty((blocks, outputs) if eight else (blocks, outputs, 2), dtype=dtype)
    step = max(1, WEIGHTS_AT_A_TIME // (blocks * BLOCK))
    for start in range(0, outputs, step):
        some = slice(start, start + step)
        part = rows[some].view(-1, blocks, BYTES[type_name])  # (R, N, bytes of a block)
        if eight:
            integers[some] = part[..., 2:].reshape(len(part), -1).view(torch.int8)
            numbers[:, some] = _halves(part[..., :2]).t()
        else:
            integers[some] = _neighbours(part[..., BYTES[type_name] - BLOCK // 2 :]).view(len(part), -1)
            scale = _halves(part[..., :2])
            zero = _halves(part[..., 2:4]) + MIDDLE * scale if type_name == "Q4_1" else torch.zeros_like(scale)
            numbers[:, some] = torch.stack([scale, zero], dim=-1).transpose(0, 1).to(dtype)
    return integers, numbers


def _neighbours(packed: Tensor) -> Tensor:
    """Blocks whose bytes hold weights j and j + 16 (in the upper half) to bytes that hold 2 j (upper half) and 2 j + 1.

    Two bytes are one little-endian number, whose lower halves make the first half of the block, its upper halves the
    second.

    Args:
        packed: (R, N, B / 2) uint8.

    Returns:
        (R, N, B / 2) uint8.
    """
    pairs = packed.contiguous().view(torch.int16)
    first = ((pairs & LOWER) << 4).bitwise_or_((pairs >> 8).bitwise_and_(LOWER))
    second = (pairs & UPPER).bitwise_or_((pairs >> 12).bitwise_and_(LOWER))
    return torch.cat([first, second], dim=-1).to(torch.uint8)


def four_bit_blocks(integers: Tensor, scale_and_zero: Tensor, type_name: PackedType) -> Tensor:
    """The inverse for Q4_0 and Q4_1, exact where scales and zeros are float32 and came from blocks.

    Args:
        integers: (O, I / 2) bytes.
        scale_and_zero: (N, O, 2).

    Returns:
        (O, bytes of a row) uint8.
    """
    rows = unfold(integers).view(len(integers), -1, BLOCK)
    scale, zero = scale_and_zero.float().transpose(0, 1).unbind(-1)  # (O, N)
    packed = rows[..., : BLOCK // 2] | (rows[..., BLOCK // 2 :] << 4)
    heads = [scale] if type_name == "Q4_0" else [scale, zero - MIDDLE * scale]
    return torch.cat([*map(_bytes_of_halves, heads), packed], dim=-1).flatten(1)


def eight_bit_blocks(integers: Tensor, scale: Tensor) -> Tensor:
    """The inverse for Q8_0.

    Args:
        integers: (O, I) int8.
        scale: (N, O).

    Returns:
        (O, bytes of a row) uint8.
    """
    rows = integers.view(torch.uint8).view(len(integers), -1, BLOCK)
    return torch.cat([_bytes_of_halves(scale.float().t()), rows], dim=-1).flatten(1)


def _halves(stored: Tensor) -> Tensor:
    """(R, N, 2) bytes to (R, N) float32."""
    return stored.contiguous().view(torch.float16).squeeze(-1).float()


def _bytes_of_halves(numbers: Tensor) -> Tensor:
    """(O, N) float32 to (O, N, 2) bytes of float16."""
    return numbers.half().unsqueeze(-1).contiguous().view(torch.uint8)
