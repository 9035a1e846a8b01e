"""Buffers of keys or values that grow in blocks, and how new positions are written behind the ones held.

B rows   K key/value heads   T new positions   C capacity of the buffer   E head width
"""

import torch
from torch import Tensor

from modelry.errors import GenerationError

BLOCK = 64
"""Positions a buffer grows by. One new position attends to the whole buffer, so at most this many are read in vain."""


def whole_blocks(positions: int) -> int:
    """The least multiple of BLOCK that holds `positions`."""
    return -(-positions // BLOCK) * BLOCK


def lies_turned(buffer: Tensor) -> bool:
    """Whether (B, K, C, E) lie in memory as (B, K, E, C)."""
    return buffer.stride(3) != 1


def kept(buffer: Tensor, rows: Tensor) -> Tensor:
    """Rows (R,) of a buffer (B, K, C, E), which lie as it does."""
    rows = rows.to(buffer.device)
    if lies_turned(buffer):
        return buffer.transpose(2, 3).index_select(0, rows).transpose(2, 3)
    return buffer.index_select(0, rows)


def write_behind(buffer: Tensor, new: Tensor, *, drop: int, held: int, width: int, turn: bool | None = None) -> Tensor:
    """Positions `drop` to `drop + held` of `buffer`, then `new`, then a finite tail: `width` positions in all.

    Writes in place where nothing moves and no gradient is at stake, else into a wider copy with a tail of zeros.

    Args:
        buffer: (B, K, C, E).
        new: (B, K, T, E).
        turn: whether the result lies in memory as (B, K, E, width); None: as `buffer` does.

    Returns:
        (B, K, width, E), `buffer` itself where it could be used.

    Raises:
        ValueError: a cache made for some rows is given others, or keys of other heads.
    """
    rows, heads, count, size = new.shape
    before = lies_turned(buffer)
    turn = before if turn is None else turn
    stays = drop == 0 and turn == before
    if torch.is_inference_mode_enabled() and stays and buffer.shape == (rows, heads, width, size):
        buffer.narrow(2, held, count).copy_(new)
        return buffer
    check_fits(buffer, new)
    if torch.is_grad_enabled() and (new.requires_grad or buffer.requires_grad):
        tail = new.new_zeros(rows, heads, width - held - count, size)
        return torch.cat((buffer[:, :, drop : drop + held], new, tail), dim=2)
    frozen = buffer.is_inference() and not torch.is_inference_mode_enabled()
    if frozen or not stays or buffer.shape[2] != width:
        wider = new.new_zeros((rows, heads, size, width) if turn else (rows, heads, width, size))
        wider = wider.transpose(2, 3) if turn else wider
        wider[:, :, :held] = buffer[:, :, drop : drop + held]
        buffer = wider
    buffer.narrow(2, held, count).copy_(new)
    return buffer


def check_fits(held: Tensor, new: Tensor) -> None:
    """Refuse new positions (B, K, T, E) of other rows or other heads than those held.

    Raises:
        ValueError: a cache made for some rows is given others.
        GenerationError: what is held is another model's.
    """
    if held.shape[0] != new.shape[0]:
        raise ValueError(
            f"the cache holds {held.shape[0]} rows and the input has {new.shape[0]}: "
            "start a new cache, or repeat or drop its rows with cache.keep(rows)"
        )
    if held.shape[1] != new.shape[1] or held.shape[3] != new.shape[3]:
        raise GenerationError(
            f"the cache holds {held.shape[1]} key/value heads of width {held.shape[3]}, and this model has "
            f"{new.shape[1]} of width {new.shape[3]}: it is another model's. Start a new one with model.make_cache()"
        )


def new_buffer(first: Tensor, *, drop: int, width: int) -> Tensor:
    """A buffer (B, K, width, E) with the positions of `first`, (B, K, T, E), from `drop` on, and a tail of zeros."""
    return write_behind(first[:, :, :0], first[:, :, drop:], drop=0, held=0, width=width, turn=False)
