"""What packing costs and saves, layer by layer, seen while a model is packed: a scheme that watches another one."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modelry.packed.packed_linear import PackedLinear
from modelry.quantization import Quantizer

if TYPE_CHECKING:
    from modelry.checkpoint.shards import Checkpoint


@dataclass(frozen=True)
class PackedTensor:
    """One weight that was packed."""

    layer: str
    bytes_before: int
    bytes_after: int
    squared: float | None
    """Sum of the squares of its values; None where no float weight was there to compare with."""
    squared_error: float | None
    """Sum of the squares of what packing changed."""


class Measured(Quantizer):
    """Does what the scheme it is given does, and keeps what it saw in `seen`.

    Args:
        scheme: the one that packs.
        on_begin: told the bytes of all weights that will be packed, before the first is.
        on_packed: told the bytes of each weight that has been.
    """

    def __init__(
        self, scheme: Quantizer, *, on_begin: Callable[[int], object], on_packed: Callable[[int], object]
    ) -> None:
        super().__init__(scheme.parameters)
        self.method = scheme.method  # type: ignore[misc]  # a class variable elsewhere; here it is that of the watched scheme
        self.scheme, self.seen = scheme, list[PackedTensor]()
        self._on_begin, self._on_packed = on_begin, on_packed
        self._model = nn.Module()

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        self.scheme.begin(checkpoint, dtype)
        self._dtype = dtype

    def check(self, model: nn.Module) -> None:
        self.scheme.check(model)

    def swap(self, model: nn.Module) -> None:
        before = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
        self.scheme.swap(model)
        after = dict(model.named_modules())
        packed = [part for name, part in before.items() if after.get(name) is not part]
        self._model = model
        self._on_begin(sum(part.weight.numel() * self._dtype.itemsize for part in packed))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        parts = self.scheme.pack(name, tensor)
        if parts is not None:
            self._see(name, tensor.numel(), parts, tensor)
        return parts

    def take(self, name: str, stored: str, checkpoint: "Checkpoint") -> Mapping[str, Tensor] | None:
        parts = self.scheme.take(name, stored, checkpoint)
        if parts is not None:
            weights = torch.Size(checkpoint.info(stored).shape).numel()
            self._see(name, weights, parts, None)
        return parts

    def finish(self, model: nn.Module) -> None:
        self.scheme.finish(model)

    def to_config(self) -> dict[str, Any]:
        return self.scheme.to_config()

    def _see(self, name: str, weights: int, parts: Mapping[str, Tensor], tensor: Tensor | None) -> None:
        layer, before = name.rpartition(".")[0], weights * self._dtype.itemsize
        after = sum(part.nbytes for part in parts.values())
        distance = None if tensor is None else self._distance(layer, tensor, parts)
        self.seen.append(PackedTensor(layer, before, after, *(distance or (None, None))))
        self._on_packed(before)

    def _distance(self, path: str, weight: Tensor, parts: Mapping[str, Tensor]) -> tuple[float, float] | None:
        """Squares of a weight and of the difference that its packed form makes, None where a layer cannot say."""
        layer = self._model.get_submodule(path)
        if not isinstance(layer, PackedLinear):
            return None
        filled = copy.copy(layer)
        filled._buffers = {**layer._buffers, **{name.removeprefix(f"{path}."): part for name, part in parts.items()}}
        if any(buffer is not None and buffer.is_meta for buffer in filled._buffers.values()):
            return None
        difference = filled.dequantized(torch.float32).sub_(weight)
        size = torch.linalg.vector_norm(weight, dtype=torch.float32)
        return float(size) ** 2, float(torch.linalg.vector_norm(difference)) ** 2
