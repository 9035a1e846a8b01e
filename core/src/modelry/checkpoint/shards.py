"""The tensors of one pretrained model as one collection, whether they lie in one file or in many with an index."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

from torch import Tensor

from modelry.checkpoint.formats import PICKLED, how_to_convert, open_reader
from modelry.checkpoint.reader import CheckpointReader, TensorInfo
from modelry.config_file import read_json_object
from modelry.errors import CheckpointError, ConfigError, NotFound, UnsafeCheckpoint
from modelry.hub import Source

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

_VARIANT = re.compile(r"model\.([a-z0-9_]+)\.safetensors|model\.safetensors\.index\.([a-z0-9_]+)\.json")

LARGEST_INDEX_BYTES = 100_000_000
"""As much as the header of one file; a mixture of 384 experts in 61 layers has 15 MB."""


class Checkpoint:
    """All tensors by published name, each in the file that holds it.

    Args:
        readers: name of a tensor to the open file it is in.
        where: what the user wrote, for errors.
    """

    def __init__(self, readers: Mapping[str, CheckpointReader], where: str) -> None:
        self._readers = readers
        self.where = where

    def names(self) -> Collection[str]:
        """All tensors."""
        return self._readers.keys()

    def info(self, name: str) -> TensorInfo:
        """dtype and shape of a tensor."""
        return self._readers[name].info(name)

    def reader(self, name: str) -> CheckpointReader:
        """The open file that holds a tensor, for what only its own format has."""
        return self._readers[name]

    def read(self, name: str) -> Tensor:
        """A tensor, mapped where the format allows."""
        return self._readers[name].read(name)

    def release(self, name: str) -> None:
        """Give back the memory that reading took, after the tensor was copied elsewhere."""
        self._readers[name].release(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in set(self._readers.values()):
            reader.close()


def open_checkpoint(source: Source, *, variant: str | None = None) -> Checkpoint:
    """Find and open the tensors of a source; only the files that hold them are fetched.

    Args:
        variant: of several sets of files the one whose names carry it: "fp16" of model.fp16.safetensors.

    Raises:
        NotFound: there are none.
        UnsafeCheckpoint: only pickled files, or an index that points outside its folder.
        CheckpointError: damaged files, a shard missing, an index that lies.
    """
    if source.single is not None and source.single.suffix != ".json":
        reader = open_reader(source.single)
        return Checkpoint(dict.fromkeys(reader.names(), reader), source.name)
    names = source.names()
    weights, listed = named_variant(WEIGHTS, variant), named_variant(INDEX, variant)
    if weights in names:
        path = source.file(weights)
        assert path is not None
        reader = open_reader(path)
        return Checkpoint(dict.fromkeys(reader.names(), reader), source.name)
    if listed in names:
        return _open_shards(source, listed)
    raise _none_found(source, names, weights, listed)


def named_variant(file: str, variant: str | None) -> str:
    """ "model.fp16.safetensors" of "model.safetensors"; the same where there is no variant."""
    stem, _, suffix = file.rpartition(".")
    return file if variant is None else f"{stem}.{variant}.{suffix}"


def _open_shards(source: Source, listed: str) -> Checkpoint:
    index = source.file(listed)
    assert index is not None
    try:
        places = read_json_object(index, largest_bytes=LARGEST_INDEX_BYTES).get("weight_map")
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise CheckpointError(f"{index} has no weight_map from tensors to files")
    by_file: dict[str, list[str]] = defaultdict(list)
    for tensor, file in places.items():
        by_file[file].append(tensor)
    for file in by_file:
        if len(PurePosixPath(file).parts) != 1 or file in ("..", "") or "\\" in file or ":" in file or "\0" in file:
            raise UnsafeCheckpoint(f"{index} points to {file[:120]!r}, not a file of its own folder; nothing is read")
        if not file.endswith(".safetensors"):
            raise UnsafeCheckpoint(f"{index} points to {file[:120]!r}, no safetensors file. {how_to_convert()}")
    there = set(source.names())
    absent = sorted(file for file in by_file if file not in there)
    if absent:
        raise CheckpointError(
            f"{source.name} lacks {len(absent)} of the {len(by_file)} files in {listed}: {_some(absent)}"
        )
    readers: dict[str, CheckpointReader] = {}
    for file, tensors in sorted(by_file.items()):
        path = source.file(file)
        assert path is not None
        reader = open_reader(path)
        lacking = sorted(set(tensors) - set(reader.names()))
        if lacking:
            raise CheckpointError(f"{path} lacks tensors that {index.name} says it has: {_some(lacking)}")
        readers.update(dict.fromkeys(tensors, reader))
    return Checkpoint(readers, source.name)


def _none_found(source: Source, names: Collection[str], weights: str, listed: str) -> Exception:
    variants = sorted({found[1] or found[2] for name in names if (found := _VARIANT.fullmatch(name))})
    if variants:
        there = " or ".join(f"variant={one!r}" for one in variants)
        return NotFound(f"{source.name} holds neither {weights} nor {listed}; it has other weights: pass {there}")
    pickled = sorted(name for name in names if name.endswith(PICKLED))
    if pickled:
        return UnsafeCheckpoint(
            f"{source.name} holds its weights only as pickled files ({_some(pickled)}), "
            f"which can run any code when they are read. {how_to_convert()}"
        )
    return source.lacks(f"weights: neither {weights} nor {listed}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
