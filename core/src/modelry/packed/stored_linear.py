"""A packed layer whose tensors are named and shaped as somebody's files have them, and are computed by a package."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from modelry.packed.packed_linear import PackedLinear

StoredTensors = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape and dtype of each of a layer's tensors, by its name in the layer, which may have dots ("weight.absmax")."""


class StoredLinear(PackedLinear):
    """A layer that keeps what the file has, bit by bit.

    Args:
        tensors: what it is made of.
        bias: of the layer that is replaced; its values are not taken.
    """

    def __init__(self, in_features: int, out_features: int, *, tensors: StoredTensors, bias: Tensor | None) -> None:
        super().__init__(in_features, out_features, bias=bias)
        for name, (shape, dtype) in tensors.items():
            self._buffers[name] = torch.empty(shape, dtype=dtype)  # register_buffer takes no name with a dot

    @property
    def bits_kept(self) -> tuple[str, ...]:
        return tuple(name for name, one in self._buffers.items() if one is not None and one.is_floating_point())

    def _load_from_state_dict(
        self, state: Any, prefix: str, local: Any, strict: bool, missing: Any, unexpected: list[str], errors: Any
    ) -> None:
        """torch takes what is before a dot for the name of a module."""
        super()._load_from_state_dict(state, prefix, local, strict, missing, unexpected, errors)
        unexpected[:] = [name for name in unexpected if name.removeprefix(prefix) not in self._buffers]
