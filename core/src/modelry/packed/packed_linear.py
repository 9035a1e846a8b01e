"""What every linear layer with a packed weight is.

I input width   O output width
"""

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor, nn

from modelry.errors import QuantizationError


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

    weight: Tensor
    """The integers."""

    def __init__(self, in_features: int, out_features: int, *, bias: Tensor | None) -> None:
        nn.Module.__init__(self)  # nn.Linear would make a float weight
        self.in_features, self.out_features = in_features, out_features
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.empty_like(bias)))

    @abstractmethod
    def multiply(self, x: Tensor) -> Tensor:
        """x W^T, (..., I) to (..., O) in x.dtype, without the bias and without a gradient."""

    @abstractmethod
    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight that the integers stand for."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        with_gradient = x.requires_grad and torch.is_grad_enabled()
        y: Tensor = _Product.apply(x, self) if with_gradient else self.multiply(x)  # type: ignore[no-untyped-call]
        return y if self.bias is None else y + self.bias.to(y.dtype)

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


def moved_bits(bits: Tensor, fn: Any) -> Tensor:
    """Apply a move to a floating tensor whose bits have to stay: a cast in `fn` is for activations."""
    dtype = bits.dtype
    moved: Tensor = fn(bits.view(torch.uint8))
    return moved.view(dtype)
