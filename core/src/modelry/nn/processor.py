"""What this machine's processor computes itself, as far as the choice between PyTorch's kernels hangs on it."""

from functools import cache

import torch


@cache
def has_tiles() -> bool:
    """Whether it multiplies tiles of bfloat16 (AMX)."""
    return torch.cpu._is_amx_tile_supported()


@cache
def has_bfloat16_lanes() -> bool:
    """Whether it multiplies bfloat16 in vectors only (AVX-512 without AMX: AMD from Zen 4 on, Intel's Cooper Lake).

    oneDNN's products are the fast ones there. PyTorch's own product of a matrix and a vector, and those of MKL that
    its fused attention calls, turn bfloat16 into float32 first.
    """
    return not has_tiles() and torch.cpu._is_avx512_bf16_supported()


@cache
def has_onednn() -> bool:
    """Whether PyTorch was built with oneDNN's products."""
    return bool(torch.backends.mkldnn.is_available())
