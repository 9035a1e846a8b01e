"""Tensors that stay on disk and are no file's yet in the form the model needs: written once, as safetensors.

One file holds one part of the model. It is made at its full size, mapped, and filled while the tensors stream in, so
that none of them has to stay in memory.
"""

import mmap
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from modelry.checkpoint.dtypes import dtype_name
from modelry.checkpoint.matching import Match
from modelry.checkpoint.parts import blocks, owner_of
from modelry.checkpoint.regions import Region
from modelry.checkpoint.safetensors_writing import layout
from modelry.checkpoint.shards import Checkpoint
from modelry.checkpoint.weight_table import Rename, Split
from modelry.errors import PlacementError


def staying(found: Match, checkpoint: Checkpoint, on_disk: Mapping[str, Tensor]) -> dict[str, Region]:
    """Where in the checkpoint's own files those tensors lie that can be computed with as they are stored.

    Args:
        on_disk: tensors that are to be read from disk, as the model has them, by name.
    """
    regions = {}
    for step in found.steps:
        ours = [name for name in step.ours if name in on_disk]
        as_stored = isinstance(step.row, Rename) or (
            isinstance(step.row, Split) and step.row.dim == 0 and not step.row.transposed
        )
        if not ours or not as_stored or len(step.stored) != 1:
            continue
        name = found.files_name[step.stored[0]]
        region = checkpoint.reader(name).region(name)
        if region is not None:
            stored = checkpoint.info(name).dtype
            regions.update({one: region for one in ours if dtype_name(on_disk[one].dtype) == stored})
    return regions


def rooms_on_disk(
    model: nn.Module, tensors: Mapping[str, Tensor], folder: Path | None
) -> dict[str, tuple[Tensor, Region]]:
    """Take the room for tensors that are to be read from disk in another form than they are stored in.

    Args:
        tensors: as the model has them, without values, by name.
        folder: where to write them.

    Returns:
        Each tensor, mapped to be written to, and where it lies.

    Raises:
        PlacementError: there are some, and no folder; or see `make_rooms`.
    """
    if not tensors:
        return {}
    if folder is None:
        size = sum(tensor.nbytes for tensor in tensors.values())
        raise PlacementError(
            f"{len(tensors)} tensors that device_map sends to disk ({', '.join(list(tensors)[:3])} ...) are stored in "
            f"another dtype or layout than the model computes in: give offload_folder, where {size:,} bytes are "
            "written once"
        )
    known = {path for path, _ in blocks(model)}
    return make_rooms(folder, tensors, {name: owner_of(name, known) for name in tensors})


def make_rooms(
    folder: Path, tensors: Mapping[str, Tensor], files: Mapping[str, str]
) -> dict[str, tuple[Tensor, Region]]:
    """Take the room that tensors will need on disk.

    Args:
        folder: made where it is missing.
        tensors: of these shapes and dtypes, by name; values are not looked at.
        files: tensor to the name of its file, without a suffix.

    Returns:
        Each tensor, mapped to be written to, and where it lies.

    Raises:
        PlacementError: the folder is a file or cannot be written to, or its disk is full; nothing is left there.
    """
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise PlacementError(f"offload_folder {folder} is a file; a folder is needed")
    grouped: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        grouped.setdefault(files[name], {})[name] = tensor
    rooms: dict[str, tuple[Tensor, Region]] = {}
    begun: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, members in grouped.items():
            begun.append(folder / f"{file}.safetensors")
            rooms.update(_mapped(begun[-1], members))
    except OSError as error:
        size = sum(tensor.nbytes for tensor in tensors.values())
        for path in begun:
            path.unlink(missing_ok=True)
        free = f", and {shutil.disk_usage(folder).free:,} are free there" if begun else ""
        raise PlacementError(
            f"offload_folder {folder}: {error.strerror or error}. {size:,} bytes are to be written{free}: give another "
            "folder, or let less of the model lie on disk"
        ) from error
    return rooms


def _mapped(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Region]]:
    header, spans = layout(tensors)
    size = len(header) + max(end for _, end in spans.values())
    path.unlink(missing_ok=True)  # of another load, whose model may still read the old one
    with path.open("x+b") as file:
        file.write(header)
        file.flush()
        if hasattr(os, "posix_fallocate"):  # a disk that is full says so now, and not when a page is written back
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        memory = mmap.mmap(file.fileno(), size)
    found = {}
    for name, (start, end) in spans.items():
        tensor = tensors[name]
        if start == end:
            found[name] = torch.empty(tensor.shape, dtype=tensor.dtype), Region(memory, 0, 0)
            continue
        flat = torch.frombuffer(memory, dtype=tensor.dtype, count=tensor.numel(), offset=len(header) + start)
        found[name] = flat.view(tensor.shape), Region(memory, len(header) + start, len(header) + end)
    return found
