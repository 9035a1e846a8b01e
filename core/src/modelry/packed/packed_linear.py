"""What every linear layer with a packed weight is.

I input width   O output width
"""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from modelry.errors import QuantizationError
from modelry.nn.linear import Joint, joined_bias
from modelry.packed.packed_integers import PackedIntegers


class _Product(torch.autograd.Function):
    """A packed layer's product, whose input has a gradient and whose weight has none."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: "PackedLinear") -> Tensor:
        ctx.layer = layer
        return layer.multiply(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient @ ctx.layer.dequantized(gradient.dtype), None


class PackedLinear(nn.Linear):
    """A linear layer under the name of the one it replaces, with integers as its weight. Inputs get gradients, so
    adapters on top of it train; the weight itself is a buffer and no parameter.

    Args:
        bias: of the layer that is replaced; its values are not taken.
    """

    output_dims: ClassVar[Mapping[str, int]] = {}
    """Buffers whose rows along one dimension belong to the outputs in order: name to dimension. A layer whose every
    buffer is among them or the shared ones can be laid together with others."""
    joint: Joint | None = None
    """On the first of several layers that `modelry.nn.fuse` has laid together."""

    def __init__(self, in_features: int, out_features: int, *, bias: Tensor | None) -> None:
        nn.Module.__init__(self)  # nn.Linear would make a float weight
        self.in_features, self.out_features = in_features, out_features
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.empty_like(bias)))

    @property
    def shared_buffers(self) -> frozenset[str]:
        """Buffers that a product does not read, or that are the same in layers of the same kind."""
        return frozenset()

    @property
    def bits_kept(self) -> tuple[str, ...]:
        """Floating buffers whose bits stay when the layer is cast: a change of dtype is for activations."""
        return ()

    @property
    def weight(self) -> PackedIntegers:  # type: ignore[override]  # nn.Linear declares a parameter
        """The integers as others see them; of 8-bit floats the bytes, or adapters would be given their dtype."""
        integers = self.integers
        return (integers.view(torch.uint8) if integers.is_floating_point() else integers).as_subclass(PackedIntegers)

    @property
    def integers(self) -> Tensor:
        """The integers; a layer that has them under another name says so here."""
        integers = self._buffers.get("weight")
        if integers is None:
            raise AttributeError(f"{type(self).__name__} has no integers yet")
        return integers

    @abstractmethod
    def multiply(self, x: Tensor) -> Tensor:
        """x W^T, (..., I) to (..., O) in x.dtype, without the bias and without a gradient."""

    @abstractmethod
    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight that the integers stand for."""

    def bound(self, x: Tensor) -> Callable[[], Tensor]:
        """Outputs (R, O) for a buffer (R, I) whose values change between calls: what can be done once, is."""
        return lambda: self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        with_gradient = x.requires_grad and torch.is_grad_enabled()
        y: Tensor = _Product.apply(x, self) if with_gradient else self.multiply(x)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def same_kind(self, other: "PackedLinear") -> bool:
        """Whether another layer of this class is packed alike, so that the outputs of both can be one layer's."""
        return self.in_features == other.in_features and self._dtypes() == other._dtypes()

    def _dtypes(self) -> dict[str, torch.dtype | None]:
        return {name: None if one is None else one.dtype for name, one in self._buffers.items()}

    def joined(self, layers: Sequence["PackedLinear"]) -> Self | None:
        """One layer with the outputs of several, of which this is the first; their buffers become views of its rows.

        Returns:
            None where they are not packed alike.
        """
        held = {name for name, tensor in self._buffers.items() if tensor is not None}
        alike = all(type(layer) is type(self) and self.same_kind(layer) for layer in layers)
        if held - self.output_dims.keys() - self.shared_buffers or not alike:
            return None
        whole = copy.copy(self)  # shares settings; its tensors are its own
        whole._parameters, whole._buffers = dict(self._parameters), dict(self._buffers)
        whole.joint = None
        whole.out_features = sum(layer.out_features for layer in layers)
        for name, dim in self.output_dims.items():
            whole._buffers[name] = _laid_together([layer._buffers for layer in layers], name, dim)
        whole._parameters["bias"] = joined_bias(layers)
        return whole

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move; of `bits_kept` the bits stay."""
        self.joint = None  # the tensors are about to be moved one by one
        order = list(self._buffers)
        kept = {name: self._buffers.pop(name) for name in self.bits_kept}
        try:
            super()._apply(fn, recurse)
            kept = {name: None if bits is None else moved_bits(bits, fn) for name, bits in kept.items()}
        finally:
            self._buffers.update(kept)
            for name in order:  # as state_dict has them
                self._buffers[name] = self._buffers.pop(name)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Refuse to train integers.

        Raises:
            QuantizationError: always, unless asked for False.
        """
        if requires_grad:
            raise QuantizationError(
                f"the weight of an {type(self).__name__} is packed integers, which cannot be trained. "
                "Train an adapter on top of it, or load the model without quantization"
            )
        return super().requires_grad_(False)


def _laid_together(places: Sequence[dict[str, Any]], name: str, dim: int) -> Tensor:
    """Tensors of one name as one tensor, each of them then a view of it."""
    parts = [place[name] for place in places]
    whole = torch.cat([part.detach() for part in parts], dim)
    for place, rows in zip(places, torch.split_with_sizes(whole, [one.shape[dim] for one in parts], dim), strict=True):
        place[name] = rows
    return whole


def moved_bits(bits: Tensor, fn: Any) -> Tensor:
    """Apply a move to a floating tensor whose bits have to stay: a cast in `fn` is for activations."""
    moved: Tensor = fn(bits.reshape(-1).view(torch.uint8))
    return moved.view(bits.dtype).view(bits.shape)
