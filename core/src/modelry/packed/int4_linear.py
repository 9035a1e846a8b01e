"""A linear layer whose weight is 4-bit integers in groups, and its products.

M rows of the input   I input width   O output width   G inputs in a group
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from modelry.packed.grouped_linear import GroupedLinear
from modelry.packed.int4_layouts import FileLayout, Layout, layout_for


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
    y = layout.multiply(rows, kept, scale_and_zero.contiguous(), group_size=group_size)
    if y is None:
        y = rows @ whole(kept, scale_and_zero, layout=layout, group_size=group_size, dtype=x.dtype)
    return y.view(*x.shape[:-1], y.shape[-1])


class Int4Linear(GroupedLinear):
    """4-bit integers in groups.

    In memory the integers lie as the device's kernel wants them (`layout`); state_dict has them as files do.

    Args:
        group_size: G.
        bias: of the layer that is replaced; its values are not taken.
        scale_dtype: of the scales and zeros. A product runs in the dtype of its input, to which they are cast.
    """

    weight_scale_and_zero: Tensor
    """(I / G, O, 2)."""
    bits: ClassVar[int] = 4
    output_dims: ClassVar[Mapping[str, int]] = {"weight": 0, "weight_scale_and_zero": 1}

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        group_size: int,
        bias: Tensor | None,
        scale_dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        super().__init__(in_features, out_features, group_size=group_size, bias=bias)
        groups = in_features // group_size
        self.register_buffer("weight", torch.empty(out_features, in_features // 2, dtype=torch.uint8))
        self.register_buffer("weight_scale_and_zero", torch.empty(groups, out_features, 2, dtype=scale_dtype))

    @property
    def bits_kept(self) -> tuple[str, ...]:
        return ("weight_scale_and_zero",)

    def multiply(self, x: Tensor) -> Tensor:
        return product(x, self.integers, self.weight_scale_and_zero, self.layout, self.group_size)

    def bound(self, x: Tensor) -> Callable[[], Tensor]:
        scales = self.weight_scale_and_zero.contiguous()
        work = self.layout.bound(x, self.integers, scales, group_size=self.group_size)
        return super().bound(x) if work is None or self.bias is not None else work

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        weight = whole(
            self.integers, self.weight_scale_and_zero, layout=self.layout, group_size=self.group_size, dtype=dtype
        )
        return weight.t().contiguous()

    def lay_out(self) -> None:
        """Bring the integers from the file's layout into the one for their device."""
        if not isinstance(self.layout, FileLayout):
            return
        layout = layout_for(self.integers.device, outputs=self.out_features, inputs=self.in_features)
        self._buffers["weight"] = layout.lay(self.integers)
        self.layout = layout

    def packed(self) -> Tensor:
        """(O, I / 2) bytes, as in a file."""
        return self.layout.as_in_files(self.integers, outputs=self.out_features, inputs=self.in_features)
