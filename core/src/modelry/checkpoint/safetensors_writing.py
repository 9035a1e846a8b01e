"""Writes safetensors files: a header, then one tensor after the other, so that only one is ever copied."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from modelry.checkpoint.dtypes import SAFETENSORS, dtype_name
from modelry.errors import CheckpointError

ALIGNMENT = 64
"""Bytes; the first tensor begins at a multiple, so that mapped tensors are aligned for vector instructions."""

_NAMES = {dtype: name for name, dtype in SAFETENSORS.items()}


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, of any device and layout, to a file.

    Raises:
        CheckpointError: a dtype that the format does not have.
        OSError: the disk is full, or the file not writable.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))  # keeps each one aligned
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}  # other readers refuse a file without it
    start = 0
    for name, tensor in ordered:
        if tensor.dtype not in _NAMES:
            raise CheckpointError(f"{name} has dtype {dtype_name(tensor.dtype)}, which safetensors does not have")
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, start + tensor.nbytes],
        }
        start += tensor.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for _, tensor in ordered:
            if tensor.numel():
                flat = tensor.detach().to("cpu").contiguous().reshape(-1)
                file.write(flat.view(torch.uint8).numpy().data)
