"""Buffers of keys or values that grow in blocks, and how new positions are written behind the ones held.

B rows   K key/value heads   T new positions   C capacity of the buffer   E head width
"""

import torch
from torch import Tensor

BLOCK = 64
"""Positions a buffer grows by. One new position attends to the whole buffer, so at most this many are read in vain."""


def whole_blocks(positions: int) -> int:
    """The least multiple of BLOCK that holds `positions`."""
    return -(-positions // BLOCK) * BLOCK


def write_behind(buffer: Tensor, new: Tensor, *, drop: int, held: int, width: int) -> Tensor:
    """Positions `drop` to `drop + held` of `buffer`, then `new`, then a finite tail: `width` positions in all.

    Writes in place where nothing moves and no gradient is at stake, else into a wider copy with a tail of zeros.

    Args:
        buffer: (B, K, C, E).
        new: (B, K, T, E).

    Returns:
        (B, K, width, E), `buffer` itself where it could be used.

    Raises:
        ValueError: a cache made for some rows is given others.
    """
    rows, heads, count, size = new.shape
    if torch.is_inference_mode_enabled() and drop == 0 and buffer.shape[2] == width and buffer.shape[0] == rows:
        buffer.narrow(2, held, count).copy_(new)
        return buffer
    check_rows(buffer, new)
    if torch.is_grad_enabled() and (new.requires_grad or buffer.requires_grad):
        tail = new.new_zeros(rows, heads, width - held - count, size)
        return torch.cat((buffer[:, :, drop : drop + held], new, tail), dim=2)
    frozen = buffer.is_inference() and not torch.is_inference_mode_enabled()
    if drop or frozen or buffer.shape[2] != width:
        wider = new.new_zeros(rows, heads, width, size)
        wider[:, :, :held] = buffer[:, :, drop : drop + held]
        buffer = wider
    buffer.narrow(2, held, count).copy_(new)
    return buffer


def check_rows(held: Tensor, new: Tensor) -> None:
    """Refuse new positions (B, K, T, E) of other rows than those held.

    Raises:
        ValueError: a cache made for some rows is given others.
    """
    if held.shape[0] != new.shape[0]:
        raise ValueError(
            f"the cache holds {held.shape[0]} rows and the input has {new.shape[0]}: "
            "start a new cache, or repeat or drop its rows with cache.keep(rows)"
        )


def new_buffer(first: Tensor, *, drop: int, width: int) -> Tensor:
    """A buffer (B, K, width, E) with the positions of `first`, (B, K, T, E), from `drop` on, and a tail of zeros."""
    return write_behind(first[:, :, :0], first[:, :, drop:], drop=0, held=0, width=width)
