"""Floating weights as blocks of a GGUF file.

R rows   I input width   N = I / 32 blocks of a row   Arithmetic, rounding included, is that of the reference in
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c, so the bytes are those of its converter.
"""

from typing import Literal

import torch
from torch import Tensor

from modelry.errors import QuantizationError
from modelry_gguf.parameters import PackedType
from modelry_gguf.repacking import BLOCK, WEIGHTS_AT_A_TIME

StoredType = Literal["Q4_0", "Q4_1", "Q8_0", "F16", "BF16", "F32"]
"""What is written."""
PLAIN: dict[str, torch.dtype] = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}


def stored_bytes(weight: Tensor, type_name: StoredType, *, name: str = "the weight") -> Tensor:
    """(R, I) or (I,) floating to (R, bytes of a row) or (bytes,).

    Raises:
        QuantizationError: a value is infinite, no number, or beyond the type's range; or I is no multiple of 32.
    """
    if type_name in PLAIN:
        plain = weight.to(PLAIN[type_name])
        if type_name == "F16" and not torch.equal(torch.isfinite(plain), torch.isfinite(weight)):
            raise QuantizationError(f"{name} has a value beyond the range of F16; write BF16 instead")
        return plain.contiguous().view(torch.uint8)
    if weight.shape[-1] % BLOCK:
        raise QuantizationError(
            f"{name} has {weight.shape[-1]} inputs, which is no multiple of the {BLOCK} of {type_name}"
        )
    step = max(1, WEIGHTS_AT_A_TIME // weight.shape[1])
    return torch.cat([_rows(rows.float(), type_name, name) for rows in torch.split(weight, step)])


def _rows(rows: Tensor, type_name: StoredType, name: str) -> Tensor:
    if not torch.isfinite(rows).all():
        raise QuantizationError(f"{name} has a value that is infinite or no number, and has no {type_name} form")
    blocks = rows.reshape(len(rows), -1, BLOCK)
    heads, body = {"Q4_0": _q4_0, "Q4_1": _q4_1, "Q8_0": _q8_0}[type_name](blocks)
    if not all(torch.isfinite(head).all() for head in heads):
        raise QuantizationError(f"{name} has a value beyond the range of {type_name}, whose scales are 16-bit floats")
    return torch.cat([*(head.view(torch.uint8) for head in heads), body], dim=-1).flatten(1)


def _q4_0(blocks: Tensor) -> tuple[list[Tensor], Tensor]:
    """The value farthest from 0, with its sign, becomes -8."""
    farthest = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    scale = farthest / -8
    # In float64, where the reference's fused sum and the product are exact.
    levels = (blocks.double() * _inverse(scale).double() + 8.5).clamp_(max=15).to(torch.uint8)
    return [scale.half()], _two_in_a_byte(levels)


def _q4_1(blocks: Tensor) -> tuple[list[Tensor], Tensor]:
    """The smallest value becomes 0, the largest 15."""
    low, high = blocks.aminmax(dim=-1, keepdim=True)
    scale = (high - low) / 15
    levels = ((blocks - low) * _inverse(scale) + 0.5).clamp_(max=15).to(torch.uint8)
    return [scale.half(), low.half()], _two_in_a_byte(levels)


def _q8_0(blocks: Tensor) -> tuple[list[Tensor], Tensor]:
    """The largest magnitude becomes 127; halves are rounded away from 0."""
    scale = blocks.abs().amax(-1, keepdim=True) / 127
    levels = blocks * _inverse(scale)
    away = torch.trunc(levels + torch.copysign(torch.full_like(levels, 0.5), levels))
    return [scale.half()], away.to(torch.int8).view(torch.uint8)


def _inverse(scale: Tensor) -> Tensor:
    return torch.where(scale == 0, torch.zeros_like(scale), 1 / scale)


def _two_in_a_byte(levels: Tensor) -> Tensor:
    """The first half of a block in the lower bits, the second in the upper."""
    return levels[..., : BLOCK // 2] | (levels[..., BLOCK // 2 :] << 4)


def packed_type(type_name: str) -> PackedType | None:
    """The name as one of a type that stays packed, None for another."""
    return type_name if type_name in ("Q4_0", "Q4_1", "Q8_0") else None  # type: ignore[return-value]  # one of the three
