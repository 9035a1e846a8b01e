"""PyTorch's operations under names of ours: the compiler leaves alone what it does not know."""

from collections.abc import Callable

import torch
from torch import Tensor

_LIBRARY = torch.library.Library("modelry", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's


def opaque(
    name: str, arguments: str, operation: Callable[..., Tensor], made: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """An operation on the CPU that a compiled program calls as it is.

    Args:
        name: within "modelry::", unique.
        arguments: as PyTorch's schemas write them, "Tensor x, int size".
        operation: what it calls.
        made: an empty tensor like its result, of the same arguments.
    """
    _LIBRARY.define(f"{name}({arguments}) -> Tensor")  # type: ignore[no-untyped-call]  # torch's
    _LIBRARY.impl(name, operation, "CPU")  # type: ignore[no-untyped-call]  # torch's
    _LIBRARY.impl(name, made, "Meta")  # type: ignore[no-untyped-call]  # torch's
    found: Callable[..., Tensor] = getattr(torch.ops.modelry, name).default
    return found
