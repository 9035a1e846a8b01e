"""How much memory a training takes."""

import gc
import sys

import torch

from modelry import accelerators
from modelry.errors import OutOfMemory
from modelry.generation.failing import is_out_of_memory


def peak_bytes(device: torch.device) -> int:
    """The most memory taken so far: of the GPU, else of this process; 0 where the system does not say."""
    if device.type != "cpu":
        return accelerators.peak_bytes(device) or 0
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def ran_out(error: Exception) -> bool:
    """Whether an error of a step says that there was no memory for it."""
    return isinstance(error, OutOfMemory) or is_out_of_memory(error)


def release(device: torch.device) -> None:
    """Give back what nothing holds any more."""
    gc.collect()
    if device.type != "cpu":
        accelerators.release(device)
