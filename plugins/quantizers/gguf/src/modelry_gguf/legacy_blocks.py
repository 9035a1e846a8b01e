"""The types with one scale (and one minimum) for 32 weights of a row.

N blocks   every function fills out (N, 32) from blocks (N, bytes of a block). Layouts and arithmetic:
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h and ggml-quants.c beside it.
"""

import torch
from torch import Tensor

from modelry_gguf.bits import half, planes, single_bits


def unpack_q4_0(blocks: Tensor, out: Tensor) -> None:
    """d, 16 bytes of 4-bit weights, stored with 8 added."""
    out.copy_(planes(blocks[:, 2:], 4, 16))
    out.sub_(8).mul_(half(blocks, 0))


def unpack_q4_1(blocks: Tensor, out: Tensor) -> None:
    """d, minimum, 16 bytes of 4-bit weights."""
    out.copy_(planes(blocks[:, 4:], 4, 16))
    out.mul_(half(blocks, 0)).add_(half(blocks, 2))


def unpack_q5_0(blocks: Tensor, out: Tensor) -> None:
    """d, 4 bytes of fifth bits, 16 of low bits; weights are stored with 16 added."""
    out.copy_(planes(blocks[:, 6:], 4, 16) | (single_bits(blocks[:, 2:6]) << 4))
    out.sub_(16).mul_(half(blocks, 0))


def unpack_q5_1(blocks: Tensor, out: Tensor) -> None:
    """d, minimum, 4 bytes of fifth bits, 16 of low bits."""
    out.copy_(planes(blocks[:, 8:], 4, 16) | (single_bits(blocks[:, 4:8]) << 4))
    out.mul_(half(blocks, 0)).add_(half(blocks, 2))


def unpack_q8_0(blocks: Tensor, out: Tensor) -> None:
    """d, 32 signed bytes."""
    out.copy_(blocks[:, 2:].view(torch.int8))
    out.mul_(half(blocks, 0))
