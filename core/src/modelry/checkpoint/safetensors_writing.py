"""Writes safetensors files: a header, then one tensor after the other, so that only one is ever copied."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from modelry.checkpoint.dtypes import SAFETENSORS, dtype_name
from modelry.errors import CheckpointError

ALIGNMENT = 64
"""Bytes; the first tensor begins at a multiple, so that mapped tensors are aligned for vector instructions."""

_NAMES = {dtype: name for name, dtype in SAFETENSORS.items()}


def write_safetensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    fetch: Callable[[str], Tensor] | None = None,
    after_each: Callable[[Tensor], None] | None = None,
) -> None:
    """Write tensors, of any device and layout, to a file.

    Args:
        fetch: gives a tensor when its turn comes; `tensors` then only say their shapes and dtypes.
        after_each: called with each tensor when it has been written.

    Raises:
        CheckpointError: a dtype that the format does not have.
        OSError: the disk is full, or the file not writable.
    """
    header, spans = layout(tensors)
    with path.open("wb") as file:
        file.write(header)
        for name in spans:
            tensor = tensors[name] if fetch is None else fetch(name)
            if tensor.numel():
                flat = tensor.detach().to("cpu").contiguous().reshape(-1)
                file.write(flat.view(torch.uint8).numpy().data)
            if after_each is not None:
                after_each(tensor)


def _power_of_two(size: int) -> int:
    """The largest that divides a size, up to ALIGNMENT. In its descending order each tensor begins at a multiple of its
    own, and so where its dtype, and kernels that read whole vectors of a row, may read."""
    return min(size & -size, ALIGNMENT) if size else ALIGNMENT


def layout(tensors: Mapping[str, Tensor]) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The bytes that a file begins with, and where behind them each tensor begins and ends, in the file's order.

    Raises:
        CheckpointError: a dtype that the format does not have.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-_power_of_two(item[1].nbytes), item[0]))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}  # other readers refuse a file without it
    spans: dict[str, tuple[int, int]] = {}
    start = 0
    for name, tensor in ordered:
        if tensor.dtype not in _NAMES:
            raise CheckpointError(f"{name} has dtype {dtype_name(tensor.dtype)}, which safetensors does not have")
        spans[name] = start, start + tensor.nbytes
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": list(spans[name])}
        start += tensor.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, spans
