"""A linear layer whose weight is 4-bit integers in groups, and its products.

M rows of the input   I input width   O output width   G inputs in a group
"""

from typing import Any, Self

import torch
from torch import Tensor, nn

from modelry.errors import QuantizationError
from modelry_int4.layouts import FileLayout, Layout, layout_for


def whole(kept: Tensor, scale_and_zero: Tensor, *, layout: Layout, group_size: int, dtype: torch.dtype) -> Tensor:
    """(I, O) float weight, transposed, that the integers stand for."""
    groups, outputs, _ = scale_and_zero.shape
    inputs = groups * group_size
    integers = layout.centred(kept, outputs=outputs, inputs=inputs, dtype=dtype).view(groups, group_size, outputs)
    scale, zero = scale_and_zero.to(dtype).unbind(-1)
    return torch.addcmul(zero.contiguous().unsqueeze(1), integers, scale.contiguous().unsqueeze(1)).view(inputs, -1)


def product(x: Tensor, kept: Tensor, scale_and_zero: Tensor, layout: Layout, group_size: int) -> Tensor:
    """x W^T.

    Args:
        x: (..., I), float32, float16 or bfloat16.
        kept: the integers, as `layout` has them.
        scale_and_zero: (I / G, O, 2).

    Returns:
        (..., O) in x.dtype.
    """
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    y = layout.multiply(rows, kept, scale_and_zero, group_size=group_size)
    if y is None:
        y = rows @ whole(kept, scale_and_zero, layout=layout, group_size=group_size, dtype=x.dtype)
    return y.view(*x.shape[:-1], y.shape[-1])


class _Product(torch.autograd.Function):
    """`product`, whose input has a gradient and whose weight has none."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale_and_zero: Tensor, layout: Layout, group_size: int) -> Tensor:
        ctx.save_for_backward(kept, scale_and_zero)
        ctx.layout, ctx.group_size = layout, group_size
        return product(x, kept, scale_and_zero, layout, group_size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = gradients
        kept, scale_and_zero = ctx.saved_tensors
        weight = whole(kept, scale_and_zero, layout=ctx.layout, group_size=ctx.group_size, dtype=gradient.dtype)
        return gradient @ weight.t(), None, None, None, None


class Int4Linear(nn.Linear):
    """A linear layer with a packed weight, under the name of the one it replaces. Inputs get gradients, so adapters on
    top of it train; the weight itself is no parameter.

    In memory the integers lie as the device's kernel wants them (`layout`); state_dict has them as files do.

    Args:
        bias: of the layer that is replaced; its values are not taken.
    """

    weight: Tensor
    """The integers: (O, I / 2) bytes in a file."""
    weight_scale_and_zero: Tensor
    """(I / G, O, 2) bfloat16."""

    def __init__(self, in_features: int, out_features: int, *, group_size: int, bias: Tensor | None) -> None:
        nn.Module.__init__(self)  # nn.Linear would make a float weight
        self.in_features, self.out_features, self.group_size = in_features, out_features, group_size
        self.layout: Layout = FileLayout()
        groups = in_features // group_size
        self.register_buffer("weight", torch.empty(out_features, in_features // 2, dtype=torch.uint8))
        self.register_buffer("weight_scale_and_zero", torch.empty(groups, out_features, 2, dtype=torch.bfloat16))
        self.register_parameter("bias", None if bias is None else nn.Parameter(torch.empty_like(bias)))

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        with_gradient = x.requires_grad and torch.is_grad_enabled()
        multiply = _Product.apply if with_gradient else product
        y: Tensor = multiply(x, self.weight, self.weight_scale_and_zero, self.layout, self.group_size)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        weight = whole(
            self.weight, self.weight_scale_and_zero, layout=self.layout, group_size=self.group_size, dtype=dtype
        )
        return weight.t().contiguous()

    def lay_out(self) -> None:
        """Bring the integers from the file's layout into the one for their device."""
        if not isinstance(self.layout, FileLayout):
            return
        layout = layout_for(self.weight.device, outputs=self.out_features, inputs=self.in_features)
        self._buffers["weight"] = layout.lay(self.weight)
        self.layout = layout

    def packed(self) -> Tensor:
        """(O, I / 2) bytes, as in a file."""
        return self.layout.as_in_files(self.weight, outputs=self.out_features, inputs=self.in_features)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Refuse to train integers.

        Raises:
            QuantizationError: always, unless asked for False.
        """
        if requires_grad:
            raise QuantizationError(
                "the weight of an Int4Linear is 4-bit integers, which cannot be trained. "
                "Train an adapter on top of it, or load the model without quantization"
            )
        return super().requires_grad_(False)

    def _leave_layout(self) -> None:
        self._buffers["weight"] = self.packed()
        self.layout = FileLayout()

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move; a change of dtype is for activations and keeps the bits of scales and zeros."""
        self._leave_layout()
        self._buffers["weight_scale_and_zero"] = self.weight_scale_and_zero.view(torch.int16)
        try:
            super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        finally:
            self._buffers["weight_scale_and_zero"] = self.weight_scale_and_zero.view(torch.bfloat16)
            self.lay_out()
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.packed()

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        self._leave_layout()
        super()._load_from_state_dict(*arguments, **named)
        self.lay_out()

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, "
            f"int4 in groups of {self.group_size}, not trainable"
        )
