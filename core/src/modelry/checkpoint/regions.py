"""Parts of mapped files: bringing them into memory ahead of their use, and giving the memory back after it."""

import mmap
from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    """The bytes of one tensor in a mapped file."""

    memory: mmap.mmap
    start: int
    end: int

    def bring(self) -> None:
        """Read what is not in memory yet. Other threads run on: neither the reading nor the waiting holds the lock."""
        import numpy as np  # late, as readers of configurations do without it

        first = self.start // mmap.PAGESIZE * mmap.PAGESIZE
        if self.end <= first:
            return
        if hasattr(mmap, "MADV_WILLNEED"):
            self.memory.madvise(mmap.MADV_WILLNEED, first, self.end - first)
        np.frombuffer(self.memory, np.uint8, self.end - first, first)[:: mmap.PAGESIZE].sum()

    def release(self) -> None:
        """Give back the pages that are this tensor's alone. Whoever reads them later reads the file again.

        Of a private mapping, changes are lost with them.
        """
        start, end = -(-self.start // mmap.PAGESIZE) * mmap.PAGESIZE, self.end // mmap.PAGESIZE * mmap.PAGESIZE
        if end > start and hasattr(mmap, "MADV_DONTNEED"):
            self.memory.madvise(mmap.MADV_DONTNEED, start, end - start)
