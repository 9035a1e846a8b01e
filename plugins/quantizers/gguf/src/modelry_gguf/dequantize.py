"""Packed blocks in, weights out, a chunk at a time. The layouts are in legacy_blocks and k_blocks.

N blocks   W weights of a block. Arithmetic is that of
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c, operation by operation: a product and a sum
stay two roundings, so float32 results are equal bit by bit.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from modelry_gguf.k_blocks import unpack_q2_k, unpack_q3_k, unpack_q4_k, unpack_q5_k, unpack_q6_k
from modelry_gguf.legacy_blocks import unpack_q4_0, unpack_q4_1, unpack_q5_0, unpack_q5_1, unpack_q8_0

Unpack = Callable[[Tensor, Tensor], None]
"""Fills the second, (N, W) float32, from the first, (N, bytes of a block) uint8."""

_SMALL_CHUNK = 1 << 15
"""Weights unpacked at a time. Up to 2^15 numbers PyTorch works in the calling thread; above, all its threads meet after
every operation, and on a busy machine each meeting costs milliseconds (135 M weights, 2 shared cores: 0.8 or 18 s)."""
_LARGE_CHUNK = 1 << 20
_LARGE_TENSOR = 1 << 24
"""Weights from which several threads are worth their meetings; the chunks are larger then, and the meetings fewer."""

UNPACK: Mapping[str, Unpack] = MappingProxyType(
    {
        "Q4_0": unpack_q4_0,
        "Q4_1": unpack_q4_1,
        "Q5_0": unpack_q5_0,
        "Q5_1": unpack_q5_1,
        "Q8_0": unpack_q8_0,
        "Q2_K": unpack_q2_k,
        "Q3_K": unpack_q3_k,
        "Q4_K": unpack_q4_k,
        "Q5_K": unpack_q5_k,
        "Q6_K": unpack_q6_k,
    }
)


def dequantize(blocks: Tensor, *, type_name: str, block_size: int, dtype: torch.dtype) -> Tensor:
    """Unpack blocks of one type.

    Args:
        blocks: (N, bytes of a block) uint8.
        type_name: a key of UNPACK.
        block_size: W, weights of a block.
        dtype: what the float32 result is rounded to.

    Returns:
        (N, W) weights. Beside them, memory grows by a few MB only.
    """
    unpack = UNPACK[type_name]
    weights = torch.empty((len(blocks), block_size), dtype=dtype)
    chunk_weights = _SMALL_CHUNK if weights.numel() < _LARGE_TENSOR else _LARGE_CHUNK
    step = chunk_weights // block_size
    buffer = torch.empty((min(step, len(blocks)), block_size))
    for start in range(0, len(blocks), step):
        chunk = blocks[start : start + step]
        into = weights[start : start + step] if dtype is torch.float32 else buffer[: len(chunk)]
        unpack(chunk, into)
        if dtype is not torch.float32:
            weights[start : start + step] = into
    return weights
