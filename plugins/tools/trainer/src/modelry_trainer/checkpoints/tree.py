"""Nested states (of optimizers, schedules, generators of random numbers) as JSON and a safetensors file beside it.

Numbers come back bit by bit: JSON has Python's shortest exact form of a float, tensors are bytes.
"""

import json
import struct
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from modelry.checkpoint.dtypes import as_dtype, dtype_name
from modelry.checkpoint.safetensors_writing import write_safetensors
from modelry_trainer.distributed.pieces import Box, Boxes, boxes_of, filled, is_piece, key_of, writes
from modelry_trainer.errors import CheckpointUnusable, SaveFailed

_KIND = "$"
"""Key of a JSON object that stands for what JSON does not have."""


def write_tree(folder: Path, name: str, tree: Any, *, part: tuple[int, int] = (0, 1)) -> None:
    """Write `name`.json, and `name`.safetensors where there are tensors.

    Args:
        part: which of how many processes this is, all of which write a tree of this form. The first one writes what all
            have, and each its part of divided tensors, as `name`-<number>-of-<number>.safetensors.

    Raises:
        SaveFailed: something in it is neither plain data nor a tensor.
        OSError: the disk is full.
    """
    tensors: dict[str, Tensor] = {}
    plain = _plain(tree, name, tensors)
    pieces = {path: tensors.pop(path) for path in list(tensors) if is_piece(tensors[path])}
    own: dict[str, Tensor] = {
        key_of(path, box): piece.to_local()[where]  # type: ignore[attr-defined]  # a DTensor's
        for path, piece in pieces.items()
        if writes(piece)
        for where, box in boxes_of(piece)
    }
    number, count = part
    if own:
        write_safetensors(folder / f"{name}-{number + 1:05d}-of-{count:05d}.safetensors", own)
    if number:
        return
    if tensors:
        write_safetensors(folder / f"{name}.safetensors", tensors)
    (folder / f"{name}.json").write_text(json.dumps(plain), encoding="utf-8")


def read_tree(folder: Path, name: str, *, like: Callable[[str], Any] = lambda path: None) -> Any:
    """What `write_tree` wrote, whole or in pieces.

    Args:
        like: of a path in the tree ("optimizer.state.3.exp_avg"), a divided tensor in whose division the one there is
            wanted; None for a whole one.

    Raises:
        CheckpointUnusable: a file is missing or not what it should be.
    """
    try:
        plain = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        path, pieces = folder / f"{name}.safetensors", folder.glob(f"{name}-?????-of-?????.safetensors")
        with ExitStack() as files:
            whole = files.enter_context(safe_open(path, framework="pt")) if path.is_file() else None
            return _tree(plain, _Stored(whole, files.enter_context(Boxes(pieces)), like))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, struct.error) as error:
        raise CheckpointUnusable(f"{folder / name}.json or .safetensors cannot be read: {error}") from error


def packed(tree: Any) -> bytes:
    """The same as bytes, for another process."""
    tensors: dict[str, Tensor] = {}
    plain = json.dumps(_plain(tree, "tree", tensors)).encode()
    return len(plain).to_bytes(8, "little") + plain + save({name: one.contiguous() for name, one in tensors.items()})


def unpacked(message: bytes) -> Any:
    """What `packed` packed."""
    end = 8 + int.from_bytes(message[:8], "little")
    return _tree(json.loads(message[8:end]), _Here(load(message[end:])))


def _plain(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        if is_piece(value):
            tensors[path] = value.detach()
            return {_KIND: "divided", "at": path, "shape": list(value.shape), "dtype": dtype_name(value.dtype)}
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


@final
class _Here:
    """Tensors in memory, by path."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def tensor(self, node: Mapping[str, Any]) -> Tensor:
        """The one that a node of the tree stands for."""
        return self._tensors[node["at"]]


@final
class _Stored:
    """Tensors in files, by path: whole ones, and boxes of divided ones."""

    def __init__(self, whole: Any, boxes: Boxes, like: Callable[[str], Any]) -> None:
        self._whole, self._boxes, self._like = whole, boxes, like

    def tensor(self, node: Mapping[str, Any]) -> Tensor:
        """The one that a node of the tree stands for, in the division that is wanted."""
        path, divided = node["at"], node[_KIND] == "divided"
        like = self._like(path)
        if not divided and not is_piece(like):
            whole: Tensor = self._whole.get_tensor(path)
            return whole
        part = None if divided else self._whole.get_slice(path)
        stored: Any = node["shape"] if part is None else part.get_shape()
        dtype: Any = as_dtype(node["dtype"]) if part is None else self._whole.get_tensor(path).dtype
        everything = Box((0,) * len(stored), tuple(stored))

        def fill(target: Tensor, box: Box) -> None:
            if part is None:
                self._boxes.fill(target, path, box)
            elif target.numel():
                target.copy_(part[box.inside(everything)] if stored else self._whole.get_tensor(path))

        return filled(stored, dtype, like, fill)


def _tree(plain: Any, tensors: _Here | _Stored) -> Any:
    if isinstance(plain, list):
        return [_tree(one, tensors) for one in plain]
    if not isinstance(plain, dict):
        return plain
    kind = plain[_KIND]
    if kind in ("tensor", "divided"):
        return tensors.tensor(plain)
    if kind == "array":
        return tensors.tensor(plain).numpy().astype(np.dtype(plain["dtype"]))
    if kind == "tuple":
        return tuple(_tree(one, tensors) for one in plain["items"])
    return {_tree(key, tensors): _tree(one, tensors) for key, one in plain["items"]}
