"""The bytes of one tensor as a torch tensor: mapped where nothing has to change, else dequantized.

R rows   C columns   B bytes of a row   H heads   E head width.
"""

import sys
from math import prod
from mmap import PAGESIZE

import torch
from torch import Tensor

from modelry.errors import CheckpointError
from modelry_gguf.container import Container, StoredTensor
from modelry_gguf.dequantize import dequantize

if sys.platform == "linux":
    from mmap import MADV_DONTNEED


def rotary_halves(rows: Tensor, *, width: int) -> Tensor:
    """Reorder the rows of a query or key projection from pairs to halves.

    The file keeps the two rows of a head that rotate together side by side (x0, y0, x1, y1, ...); published checkpoints
    keep them half a head apart (x0, x1, ..., y0, y1, ...). Rows move whole, so packed rows can be reordered too.

    Args:
        rows: (H * E, B), or (H * E,) for a bias.
        width: E.

    Returns:
        The same shape, newly allocated.
    """
    heads = rows.reshape(-1, width // 2, 2, *rows.shape[1:])
    return heads.transpose(1, 2).reshape(rows.shape)


def rotary_pairs(rows: Tensor, *, width: int) -> Tensor:
    """The inverse of `rotary_halves`."""
    heads = rows.reshape(-1, 2, width // 2, *rows.shape[1:])
    return heads.transpose(1, 2).reshape(rows.shape)


def read_tensor(
    container: Container, tensor: StoredTensor, *, dtype: torch.dtype | None, paired_width: int | None
) -> Tensor:
    """Read one tensor.

    Args:
        container: the opened file.
        tensor: plain or quantized.
        dtype: of the result, where it is floating; None keeps a plain tensor's dtype and makes quantized ones float32.
        paired_width: head width of a query or key projection whose rows are to be reordered (see `rotary_halves`).

    Returns:
        The tensor; a view of the private mapping where neither bytes nor order change.

    Raises:
        CheckpointError: the rows are no whole number of heads.
    """
    if tensor.type.kind == "plain":
        _check_heads(container, tensor, paired_width)
        return _plain(container, tensor, dtype=dtype, paired_width=paired_width)
    packed = read_rows(container, tensor, paired_width=paired_width)
    weights = dequantize(
        packed.reshape(-1, tensor.type.block_bytes),
        type_name=tensor.type.name,
        block_size=tensor.type.block_size,
        dtype=dtype or torch.float32,
    )
    forget(container, tensor)
    return weights.view(tensor.shape)


def read_rows(container: Container, tensor: StoredTensor, *, paired_width: int | None) -> Tensor:
    """The bytes of a quantized tensor, (R, B); a view of the private mapping where no rows are reordered.

    Raises:
        CheckpointError: the rows are no whole number of heads.
    """
    _check_heads(container, tensor, paired_width)
    packed = torch.frombuffer(container.mapping, dtype=torch.uint8, count=tensor.size, offset=tensor.start)
    if len(tensor.shape) < 2:
        if paired_width is not None:
            raise CheckpointError(
                f"{container.path}: {tensor.name!r} is a list and of type {tensor.type.name}; F32 is expected."
            )
        return packed.view(1, -1)
    packed = packed.view(prod(tensor.shape[:-1]), -1)
    return packed if paired_width is None else rotary_halves(packed, width=paired_width)


def _check_heads(container: Container, tensor: StoredTensor, paired_width: int | None) -> None:
    if paired_width is not None and (not tensor.shape or tensor.shape[0] % paired_width):
        raise CheckpointError(
            f"{container.path}: {tensor.name!r} of shape {tensor.shape} is no whole number of heads of {paired_width}."
        )


def forget(container: Container, tensor: StoredTensor) -> None:
    """Give the pages that hold nothing but this tensor back to the system; a tensor that shares them must be gone."""
    start = -(-tensor.start // PAGESIZE) * PAGESIZE
    size = (tensor.start + tensor.size) // PAGESIZE * PAGESIZE - start
    if sys.platform == "linux" and size > 0:
        container.mapping.madvise(MADV_DONTNEED, start, size)


def _plain(
    container: Container, tensor: StoredTensor, *, dtype: torch.dtype | None, paired_width: int | None
) -> Tensor:
    stored: torch.dtype = getattr(torch, tensor.type.dtype)
    mapped = torch.frombuffer(
        container.mapping, dtype=stored, count=tensor.size // stored.itemsize, offset=tensor.start
    ).view(tensor.shape)
    if paired_width is not None:
        mapped = rotary_halves(mapped, width=paired_width)
    return mapped.to(dtype) if dtype is not None and stored.is_floating_point else mapped
