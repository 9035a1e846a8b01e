"""Asking bitsandbytes, which has kernels for some devices and not for others."""

from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

import torch

from modelry.errors import QuantizationError

T = TypeVar("T")


def on_its_device(device: torch.device, do: Callable[[], T]) -> T:
    """Let bitsandbytes work, and say so where it has nothing for a device.

    Raises:
        QuantizationError: it refuses.
    """
    try:
        return do()
    except (NotImplementedError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise QuantizationError(
            f"bitsandbytes {version('bitsandbytes')} cannot do this on {device.type}: {error}. "
            "The schemes int4 and int8 need no package"
        ) from error
