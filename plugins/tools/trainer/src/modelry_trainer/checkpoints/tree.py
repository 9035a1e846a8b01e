"""Nested states (of optimizers, schedules, generators of random numbers) as JSON and a safetensors file beside it.

Numbers come back bit by bit: JSON has Python's shortest exact form of a float, tensors are bytes.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from modelry.checkpoint.safetensors_writing import write_safetensors
from modelry_trainer.errors import CheckpointUnusable, SaveFailed

_KIND = "$"
"""Key of a JSON object that stands for what JSON does not have."""


def write_tree(folder: Path, name: str, tree: Any) -> None:
    """Write `name`.json, and `name`.safetensors where there are tensors.

    Raises:
        SaveFailed: something in it is neither plain data nor a tensor.
        OSError: the disk is full.
    """
    tensors: dict[str, Tensor] = {}
    plain = _plain(tree, name, tensors)
    if tensors:
        write_safetensors(folder / f"{name}.safetensors", tensors)
    (folder / f"{name}.json").write_text(json.dumps(plain), encoding="utf-8")


def read_tree(folder: Path, name: str) -> Any:
    """What `write_tree` wrote.

    Raises:
        CheckpointUnusable: a file is missing or not what it should be.
    """
    try:
        plain = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        path = folder / f"{name}.safetensors"
        if not path.is_file():
            return _tree(plain, {})
        with safe_open(path, framework="pt") as file:
            return _tree(plain, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118  no mapping
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, struct.error) as error:
        raise CheckpointUnusable(f"{folder / name}.json or .safetensors cannot be read: {error}") from error


def _plain(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[path] = value.detach().clone()  # two names of one storage become two tensors
        return {_KIND: "tensor", "at": path}
    if isinstance(value, np.ndarray):
        tensors[path] = torch.from_numpy(value.astype(np.int64 if value.dtype.kind in "iu" else value.dtype))
        return {_KIND: "array", "at": path, "dtype": value.dtype.str}
    if isinstance(value, Mapping):
        pairs = [[_plain(key, path, {}), _plain(one, f"{path}.{key}", tensors)] for key, one in value.items()]
        return {_KIND: "map", "items": pairs}
    if isinstance(value, list | tuple):
        items = [_plain(one, f"{path}.{number}", tensors) for number, one in enumerate(value)]
        return {_KIND: "tuple", "items": items} if isinstance(value, tuple) else items
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SaveFailed(f"{path} is a {type(value).__name__}: a checkpoint keeps numbers, texts, tensors and maps of them")


def _tree(plain: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(plain, list):
        return [_tree(one, tensors) for one in plain]
    if not isinstance(plain, dict):
        return plain
    kind = plain[_KIND]
    if kind == "tensor":
        return tensors[plain["at"]]
    if kind == "array":
        return tensors[plain["at"]].numpy().astype(np.dtype(plain["dtype"]))
    if kind == "tuple":
        return tuple(_tree(one, tensors) for one in plain["items"])
    return {_tree(key, tensors): _tree(one, tensors) for key, one in plain["items"]}
