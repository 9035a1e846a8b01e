"""What both kinds of layers share: tensors under the published names, and bits that a change of dtype leaves alone."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from modelry.errors import QuantizationError
from modelry.packed.packed_linear import PackedLinear, moved_bits

T = TypeVar("T")

Kept = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape and dtype of each of a layer's tensors, by its name in the layer ("weight.absmax")."""


class BitsLinear(PackedLinear):
    """A layer that keeps what the file has.

    Args:
        tensors: what it is made of.
        bias: of the layer that is replaced; its values are not taken.
    """

    def __init__(self, in_features: int, out_features: int, *, tensors: Kept, bias: Tensor | None) -> None:
        super().__init__(in_features, out_features, bias=bias)
        for name, (shape, dtype) in tensors.items():
            self._buffers[name] = torch.empty(shape, dtype=dtype)  # register_buffer takes no name with a dot

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move; a change of dtype is for activations and keeps all bits."""
        floats = {name: one for name, one in self._buffers.items() if one is not None and one.is_floating_point()}
        for name in floats:
            del self._buffers[name]
        order = [*self._buffers, *floats]
        super()._apply(fn, recurse)
        moved = {**self._buffers, **{name: moved_bits(one, fn) for name, one in floats.items()}}
        self._buffers.clear()
        self._buffers.update({name: moved[name] for name in order})
        return self

    def _load_from_state_dict(
        self, state: Any, prefix: str, local: Any, strict: bool, missing: Any, unexpected: list[str], errors: Any
    ) -> None:
        super()._load_from_state_dict(state, prefix, local, strict, missing, unexpected, errors)
        unexpected[:] = [name for name in unexpected if name.removeprefix(prefix) not in self._buffers]


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
