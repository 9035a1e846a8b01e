"""Tensors that are divided among processes: which box of the whole each process has, and how boxes come from files.

A file has boxes under keys of the form "name@offsets"; a tensor is read in whatever division it is wanted, from files
of any other, and each process reads only what it needs. The files are safetensors: torch's own distributed checkpoints
keep their index as a pickle, and pickles are never loaded here.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, final

import torch
from safetensors import safe_open
from torch import Tensor


class Box(NamedTuple):
    """A part of a tensor: where it begins, and how long it is, on each axis."""

    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    def common(self, other: "Box") -> "Box | None":
        """What both cover; None where nothing."""
        starts = tuple(map(max, self.offsets, other.offsets))
        ends = [min(a + b, c + d) for a, b, c, d in zip(*self, *other, strict=True)]
        if any(end <= start for start, end in zip(starts, ends, strict=True)):
            return None
        return Box(starts, tuple(end - start for start, end in zip(starts, ends, strict=True)))

    def inside(self, outer: "Box") -> tuple[slice, ...]:
        """The same part, counted from where `outer` begins."""
        return tuple(
            slice(start - zero, start - zero + length)
            for start, length, zero in zip(self.offsets, self.lengths, outer.offsets, strict=True)
        )


def is_piece(tensor: Any) -> bool:
    """Whether a tensor is this process's part of one (a DTensor). Brings nothing of torch along for asking."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def boxes_of(tensor: Any) -> list[tuple[tuple[slice, ...], Box]]:
    """What this process has of a divided tensor: where it lies in the local one, and which part of the whole it is.

    Tensor parallelism divides first, and of fused matrices each piece by itself; then FSDP divides what is left.
    """
    runs = [[(0, 0, length)] for length in tensor.shape]  # per axis: first here, first in the whole, how many
    mesh = tensor.device_mesh
    names = mesh.mesh_dim_names or ()
    order = sorted(range(mesh.ndim), key=lambda dim: dim >= len(names) or names[dim] != "tp")
    for dim in order:
        placement = tensor.placements[dim]
        if placement.is_replicate():
            continue
        rank, count = mesh.get_local_rank(dim), mesh.size(dim)
        # What FSDP writes as strided is an ordinary chunk of what tensor parallelism has left.
        pieces = (
            int(getattr(placement, "split_factor", 1)) if dim == order[0] and names[dim : dim + 1] == ("tp",) else 1
        )
        runs[placement.dim] = _chunk(runs[placement.dim], rank, count, pieces)
    found: list[tuple[tuple[slice, ...], Box]] = [((), Box((), ()))]
    for axis in runs:
        found = [
            (
                (*where, slice(here, here + length)),
                Box((*box.offsets, start), (*box.lengths, length)),
            )
            for where, box in found
            for here, start, length in axis
        ]
    return found


def is_scarce(tensor: Any) -> bool:
    """Whether a tensor is divided among more processes than it has rows, or columns, to give."""
    if not is_piece(tensor):
        return False
    shards = [
        (one.dim, tensor.device_mesh.size(number)) for number, one in enumerate(tensor.placements) if one.is_shard()
    ]
    return any(math.prod(size for dim, size in shards if dim == axis) > tensor.shape[axis] for axis, _ in shards)


def alongside(piece: Any, whole: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of each block of a divided tensor that is here, and of the same block of a whole one."""
    everything, local = Box((0,) * whole.dim(), tuple(whole.shape)), piece.to_local()
    for where, box in boxes_of(piece):
        yield local[where], whole[box.inside(everything)]


def put(value: Tensor, target: Tensor) -> None:
    """Copy a value into a tensor, divided as that is. Of a tensor that not every process has some of, torch leaves
    what is calculated whole, and refuses to copy it back."""
    if not is_piece(target) or value.placements == target.placements:  # type: ignore[attr-defined]  # a DTensor's
        target.copy_(value)
        return
    whole: Any = value
    for here, there in alongside(target, whole.full_tensor()):
        here.copy_(there)


def _chunk(runs: list[tuple[int, int, int]], rank: int, count: int, pieces: int) -> list[tuple[int, int, int]]:
    """This process's part of an axis: of each of its pieces, the chunk that torch.chunk gives."""
    total = sum(length for _, _, length in runs)
    piece = total // pieces
    size = -(-piece // count)
    taken: list[tuple[int, int, int]] = []
    filled = 0
    for number in range(pieces):
        first = number * piece + min(rank * size, piece)
        last = number * piece + min((rank + 1) * size, piece)
        for here, start, length in runs:
            begin, end = max(first, here), min(last, here + length)
            if end > begin:
                taken.append((filled, start + begin - here, end - begin))
                filled += end - begin
    return taken or [(0, 0, 0)]


def writes(tensor: Any) -> bool:
    """Whether this process is the one that writes its part, of those that have the same one."""
    place = tensor.device_mesh.get_coordinate()
    return all(where == 0 for where, one in zip(place, tensor.placements, strict=True) if one.is_replicate())


def key_of(name: str, box: Box) -> str:
    """Of a box in a file."""
    return f"{name}@{','.join(map(str, box.offsets))}"


@final
class Boxes:
    """The boxes in some files, open until the block ends."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = sorted(paths)
        self._open = ExitStack()
        self._found: dict[str, list[tuple[Box, Callable[[tuple[slice, ...]], Tensor]]]] = {}

    def __enter__(self) -> "Boxes":
        for path in self._paths:
            file = self._open.enter_context(safe_open(path, framework="pt"))
            for key in file.keys():  # noqa: SIM118  no mapping
                name, _, offsets = key.rpartition("@")
                part = file.get_slice(key)
                box = Box(tuple(int(one) for one in offsets.split(",") if one), tuple(part.get_shape()))
                self._found.setdefault(name, []).append((box, part.__getitem__))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def fill(self, target: Tensor, name: str, wanted: Box) -> Tensor:
        """Copy the part `wanted` of a tensor into `target`, which has its shape.

        Raises:
            ValueError: the files do not have all of it.
        """
        missing = target.numel()
        for box, read in self._found.get(name, ()):
            both = wanted.common(box)
            if both is not None:
                target[both.inside(wanted)].copy_(read(both.inside(box)))
                missing -= target[both.inside(wanted)].numel()
        if missing:
            raise ValueError(f"{missing} of {target.numel()} numbers of {name} are in none of the files")
        return target


def filled(shape: Sequence[int], dtype: torch.dtype, like: Any, fill: Callable[[Tensor, Box], object]) -> Tensor:
    """A new tensor, of which each part that is here is filled.

    Args:
        like: a divided tensor, in whose division it is made; where it has another shape (averages of rows), every
            process has all of it; a single number, and what is like no divided tensor, is an ordinary tensor.
    """
    if is_piece(like) and tuple(like.shape) == tuple(shape):
        made: Any = torch.empty_like(like, dtype=dtype)
        here: Tensor = made.to_local()
        for where, box in boxes_of(like):
            fill(here[where], box)
        divided: Tensor = made
        return divided
    whole = torch.empty(tuple(shape), dtype=dtype)
    fill(whole, Box((0,) * len(shape), tuple(shape)))
    if not is_piece(like) or not shape:
        return whole
    from torch.distributed.tensor import DTensor, Replicate

    place = like.to_local().device
    everywhere: Tensor = DTensor.from_local(
        whole.to(place), like.device_mesh, [Replicate()] * like.device_mesh.ndim, run_check=False
    )
    return everywhere
