"""Reads safetensors files: tensors are mapped from the file, and copied only when somebody changes them."""

import errno
import mmap
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from modelry.checkpoint.reader import CheckpointReader, TensorInfo
from modelry.checkpoint.regions import Region
from modelry.checkpoint.safetensors_header import read_header
from modelry.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor


class SafetensorsReader(CheckpointReader):
    """One .safetensors file.

    Raises:
        NotFound: no such file.
        CheckpointError: truncated, overlapping or lying header.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".safetensors",)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        header = read_header(path)
        self.metadata = header.metadata
        self._entries = header.entries

    def names(self) -> Collection[str]:
        return self._entries.keys()

    def info(self, name: str) -> TensorInfo:
        from modelry.checkpoint.dtypes import dtype_name, stored_dtype

        entry = self._entries[name]
        dtype = dtype_name(stored_dtype(entry.dtype, where=f"{self.path}: {name}"))
        return TensorInfo(dtype, entry.shape, entry.end - entry.start)

    def read(self, name: str) -> "Tensor":
        import torch

        from modelry.checkpoint.dtypes import stored_dtype

        entry = self._entries[name]
        dtype = stored_dtype(entry.dtype, where=f"{self.path}: {name}")
        if entry.start == entry.end:
            return torch.empty(entry.shape, dtype=dtype)
        if entry.start % dtype.itemsize:  # the format asks for no alignment; PyTorch does
            raw = torch.frombuffer(self._bytes, dtype=torch.uint8, count=entry.end - entry.start, offset=entry.start)
            return raw.clone().view(dtype).view(entry.shape)
        count = (entry.end - entry.start) // dtype.itemsize
        return torch.frombuffer(self._bytes, dtype=dtype, count=count, offset=entry.start).view(entry.shape)

    def region(self, name: str) -> Region | None:
        from modelry.checkpoint.dtypes import stored_dtype

        entry = self._entries[name]
        aligned = entry.start % stored_dtype(entry.dtype, where=f"{self.path}: {name}").itemsize == 0
        return Region(self._bytes, entry.start, entry.end) if aligned and entry.end > entry.start else None

    def release(self, name: str) -> None:
        entry = self._entries[name]
        Region(self._bytes, entry.start, entry.end).release()

    @cached_property
    def _bytes(self) -> mmap.mmap:
        """The file as memory: read page by page when touched; a changed page is the process's own.

        Raises:
            CheckpointError: this process may not have so much address space.
        """
        with self.path.open("rb") as file:
            try:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except OSError as error:
                if error.errno != errno.ENOMEM:
                    raise
                raise CheckpointError(
                    f"{self.path} cannot be mapped: its {self.path.stat().st_size:,} bytes take no memory until they "
                    "are read, but room among this process's addresses, of which it may not have so many: raise the "
                    "limit (ulimit -v, ulimit -d)"
                ) from error
