"""A linear layer whose weight is one of torchao's tensors, kept in its parts.

I input width   O output width
"""

from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.packed.stored_linear import StoredLinear
from modelry_torchao.configurations import Form

PREFIX = "_weight_"
"""Before the name of a part in files, as torchao writes them."""


class AoLinear(StoredLinear):
    """Parts as buffers, `_weight_qdata` and others; put together for a product.

    Args:
        form: how its weight is kept.
        bias: of the layer that is replaced; its values are not taken.
    """

    def __init__(self, in_features: int, out_features: int, *, form: Form, bias: Tensor | None) -> None:
        tensors = {f"{PREFIX}{name}": kept for name, kept in form.tensors.items()}
        super().__init__(in_features, out_features, tensors=tensors, bias=bias)
        self.form = form

    @property
    def integers(self) -> Tensor:
        """The first of the parts."""
        first = next(iter(self._buffers.values()), None)
        if first is None:
            raise AttributeError(f"{type(self).__name__} has no integers yet")
        return first

    def whole(self) -> Tensor:
        """The (O, I) tensor that computes; it shares the memory of the parts."""
        parts = {name.removeprefix(PREFIX): part for name, part in self._buffers.items() if part is not None}
        return self.form.whole(parts, outputs=self.out_features, inputs=self.in_features)

    def multiply(self, x: Tensor) -> Tensor:
        weight = self.whole()
        return F.linear(x.to(weight.dtype), weight).to(x.dtype)

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        weight: Tensor = self.whole().dequantize()
        return weight.to(dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move. A change of dtype is for products, as if the file had been loaded in it; the parts keep their bits."""
        said = self.form.told.get("dtype")
        probe = None if said is None else torch.empty(0, dtype=said, device=self.integers.device)
        super()._apply(fn, recurse)
        if probe is not None:
            self.form = replace(self.form, told={**self.form.told, "dtype": fn(probe).dtype})
        return self

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        kind = self.form.kind.__name__
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, {kind}, not trainable"
