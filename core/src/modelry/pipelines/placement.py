"""Which device a pipeline runs on, and in which dtype it computes there where nobody says."""

import torch

from modelry.accelerators import accelerators, best_device
from modelry.checkpoint.dtypes import dtype_name
from modelry.model import PreTrainedModel


def read_device(device: "int | str | torch.device | None") -> torch.device:
    """A device by name, by number (of the accelerator's; -1 is the CPU), or the best one.

    Raises:
        ValueError: no such device here.
    """
    if device is None:
        return best_device()
    if isinstance(device, int):
        best = best_device()
        if device < 0:
            return torch.device("cpu")
        if best.type == "cpu":
            raise ValueError(f"device={device} asks for an accelerator, and this machine has none. Use device='cpu'")
        device = torch.device(best.type, device)
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device {device!r} is not a device: use 'cpu', 'cuda', 'cuda:1', 'mps', 'xpu' or a number"
        ) from error
    if chosen.type not in ("cpu", "meta"):
        count = sum(one.type == chosen.type for one in accelerators())
        if (chosen.index or 0) >= count:
            raise ValueError(f"device {str(chosen)!r} is not here: {count} of type {chosen.type!r} were found")
    return chosen


def compute_on_cpu(model: PreTrainedModel) -> None:
    """Make a model that is stored in float16 compute in float32: few CPUs have a fast way for the former."""
    if model.dtype is torch.float16:
        model.to(torch.float32)
        model.config.dtype = dtype_name(torch.float32)
