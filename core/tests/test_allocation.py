import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, torch
from modelry.allocation import keep_freed_memory

class Information(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "free", "fast", "mapped", *"abcdef")]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Information
keep_freed_memory()
before = library.mallinfo2().mapped
block = torch.empty(24 << 20, dtype=torch.uint8)
print(library.mallinfo2().mapped - before)
"""


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.33"), reason="needs mallinfo2 of the GNU C library")
def test_large_blocks_come_from_the_heap() -> None:
    """A block that is mapped by itself goes back to the system when it is freed."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(run.stdout) == 0
