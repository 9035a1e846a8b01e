"""The K types: blocks of 256 weights whose sub-blocks have scales (and minima) of a few bits each.

N blocks   every function fills out (N, 256) from blocks (N, bytes of a block). Layouts and arithmetic:
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h and ggml-quants.c beside it.
"""

import torch
from torch import Tensor

from modelry_gguf.bits import fields, half, planes


def _scales_and_minima(packed: Tensor) -> tuple[Tensor, Tensor]:
    """The 12 bytes of Q4_K and Q5_K: eight scales and eight minima of six bits, each (N, 8) float32."""
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = torch.cat([low & 63, (high & 15) | ((low >> 2) & 48)], dim=1)
    minima = torch.cat([middle & 63, (high >> 4) | ((middle >> 2) & 48)], dim=1)
    return scales.float(), minima.float()


def _scale(out: Tensor, scales: Tensor, minima: Tensor | None = None) -> None:
    """Multiply the sub-blocks of `out` by `scales` (N, S) and subtract `minima` (N, S), in place."""
    grouped = out.view(len(out), scales.shape[1], -1)
    grouped.mul_(scales[:, :, None])
    if minima is not None:
        grouped.sub_(minima[:, :, None])


def unpack_q2_k(blocks: Tensor, out: Tensor) -> None:
    """16 bytes of 4-bit scales and minima, 64 of 2-bit weights, d, dmin."""
    out.copy_(planes(blocks[:, 16:80], 2, 32))
    packed = blocks[:, :16]
    _scale(out, half(blocks, 80) * (packed & 15).float(), half(blocks, 82) * (packed >> 4).float())


def unpack_q3_k(blocks: Tensor, out: Tensor) -> None:
    """32 bytes of third bits, 64 of low bits, 12 of 6-bit scales, d. A third bit of 0 subtracts 4."""
    high = fields(blocks[:, :32], 1).reshape(-1, 256)
    out.copy_(planes(blocks[:, 32:96], 2, 32) | (high << 2))
    out.sub_(4)
    low_bits = fields(blocks[:, 96:104], 4).reshape(-1, 16)
    high_bits = fields(blocks[:, 104:108], 2).reshape(-1, 16)
    scales = (low_bits | (high_bits << 4)).float().sub_(32)
    _scale(out, half(blocks, 108) * scales)


def unpack_q4_k(blocks: Tensor, out: Tensor) -> None:
    """d, dmin, 12 bytes of scales and minima, 128 of 4-bit weights."""
    out.copy_(planes(blocks[:, 16:144], 4, 32))
    scales, minima = _scales_and_minima(blocks[:, 4:16])
    _scale(out, half(blocks, 0) * scales, half(blocks, 2) * minima)


def unpack_q5_k(blocks: Tensor, out: Tensor) -> None:
    """d, dmin, 12 bytes of scales and minima, 32 of fifth bits, 128 of low bits."""
    high = fields(blocks[:, 16:48], 1).reshape(-1, 256)
    out.copy_(planes(blocks[:, 48:176], 4, 32) | (high << 4))
    scales, minima = _scales_and_minima(blocks[:, 4:16])
    _scale(out, half(blocks, 0) * scales, half(blocks, 2) * minima)


def unpack_q6_k(blocks: Tensor, out: Tensor) -> None:
    """128 bytes of low bits, 64 of high bits, 16 signed scales, d. Weights are stored with 32 added."""
    low = planes(blocks[:, :128], 4, 64)
    high = planes(blocks[:, 128:192], 2, 32)
    out.copy_(low | (high << 4))
    out.sub_(32)
    scales = blocks[:, 192:208].view(torch.int8).float()
    _scale(out, half(blocks, 208) * scales)
