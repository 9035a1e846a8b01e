"""A linear layer whose weight is 8-bit integers in groups, and its products.

M rows of the input   I input width   O output width   G inputs in a group

PyTorch has no 8-bit product with groups, and one with 4 bits: q = 16 h + l of two 4-bit halves is exact, so the layer
is a 4-bit one of twice the inputs, which are given twice. One product, one sum in the kernel's accumulators. One row of
(49152, 576), two cores: 10 ms where the bfloat16 product takes 12 and one 8-bit product for each group 620.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.packed.grouped_linear import GroupedLinear
from modelry.packed.int4_layouts import FileLayout, layout_for
from modelry.packed.int4_packing import LEVELS, MIDDLE, fold
from modelry.packed.packed_linear import PackedLinear

MOST_ROWS_OF_KERNEL = 32
"""Up to so many rows the halves are multiplied; above it a weight made whole costs less. (1536, 576) in bfloat16, two
cores: 0.1 and 1.6 ms for one row, 1.2 and 1.7 ms for 32. The 4-bit product in float32 is slower than either."""
SIGN = 128
"""What makes a signed byte one of 0 ... 255."""
WEIGHTS_AT_A_TIME = 1 << 15
"""Bounds the memory that laying out takes beside the results, and keeps it in the calling thread."""


class GroupedInt8Linear(GroupedLinear):
    """8-bit integers with a scale for each group of inputs.

    `weight` is (O, I) int8 in a file; in memory their halves as `layout` has them.

    Args:
        group_size: G.
        bias: of the layer that is replaced; its values are not taken.
        scale_dtype: of the scales. A product runs in the dtype of its input, to which they are cast.
    """

    weight_scale: Tensor
    """(I / G, O)."""
    halves_scale_and_zero: Tensor | None
    """(2 I / G, O, 2) of the halves, made of the scales when the layer is laid out."""
    bits: ClassVar[int] = 8
    output_dims: ClassVar[Mapping[str, int]] = {"weight": 0, "weight_scale": 1, "halves_scale_and_zero": 1}

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
        self.register_buffer("weight", torch.empty(out_features, in_features, dtype=torch.int8))
        scale = torch.empty(in_features // group_size, out_features, dtype=scale_dtype)
        self.register_buffer("weight_scale", scale)
        self.register_buffer("halves_scale_and_zero", None, persistent=False)

    @property
    def bits_kept(self) -> tuple[str, ...]:
        return ("weight_scale",)

    def multiply(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features)
        y, scales = None, self.halves_scale_and_zero
        if scales is not None and x.dtype != torch.float32 and rows.shape[0] <= MOST_ROWS_OF_KERNEL:
            twice = torch.cat([rows, rows], dim=1)
            y = self.layout.multiply(twice, self.integers, scales.contiguous(), group_size=self.group_size)
        if y is None:
            y = F.linear(rows, self._whole(x.dtype))
        return y.view(*x.shape[:-1], self.out_features)

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        return self._whole(dtype).contiguous()

    def _whole(self, dtype: torch.dtype) -> Tensor:
        """(O, I), perhaps a view of the transposed."""
        scale = self.weight_scale.to(dtype)
        if isinstance(self.layout, FileLayout):
            groups = self.integers.to(dtype).view(self.out_features, -1, self.group_size)
            return groups.mul_(scale.t().unsqueeze(-1)).view(self.out_features, self.in_features)
        transposed = self._transposed().to(dtype).view(-1, self.group_size, self.out_features)
        return transposed.mul_(scale.unsqueeze(1)).view(self.in_features, self.out_features).t()

    def _transposed(self) -> Tensor:
        """(I, O) int8, of the halves."""
        sizes = {"outputs": self.out_features, "inputs": 2 * self.in_features}
        high, low = torch.split(self.layout.centred(self.integers, dtype=torch.int8, **sizes), self.in_features)
        return high.mul_(LEVELS).add_(low).add_(MIDDLE)

    def same_kind(self, other: PackedLinear) -> bool:
        """Whether another layer has the same groups, and both are halves in the same layout."""
        return not isinstance(self.layout, FileLayout) and super().same_kind(other)

    def lay_out(self) -> None:
        """Bring the integers from the file's layout into halves for the kernel of their device.

        With float32 scales they stay: the product of halves is slower in float32 than one with the weight made whole.
        """
        if not isinstance(self.layout, FileLayout) or self.weight_scale.dtype == torch.float32:
            return
        layout = layout_for(self.integers.device, outputs=self.out_features, inputs=2 * self.in_features)
        if isinstance(layout, FileLayout):
            return
        self._buffers["weight"] = layout.lay(_halves(self.integers))
        scale = self.weight_scale
        high, low = torch.stack([scale * LEVELS, scale * MIDDLE], -1), torch.stack([scale, torch.zeros_like(scale)], -1)
        self.halves_scale_and_zero = torch.cat([high, low])
        self.layout = layout

    def packed(self) -> Tensor:
        """(O, I) int8, as in a file."""
        return self.integers if isinstance(self.layout, FileLayout) else self._transposed().t().contiguous()

    def leave_layout(self) -> None:
        super().leave_layout()
        self.halves_scale_and_zero = None


def _halves(integers: Tensor) -> Tensor:
    """(O, I) int8 to (O, I) bytes: the upper halves of all, two in a byte as 4-bit files have them, then the lower."""
    halves = torch.empty_like(integers, dtype=torch.uint8)
    rows = max(1, WEIGHTS_AT_A_TIME // integers.shape[1])
    for part, into in zip(torch.split(integers, rows), torch.split(halves, rows), strict=True):
        plain = part.view(torch.uint8) ^ SIGN
        into.copy_(torch.cat([fold(plain >> 4), fold(plain & (LEVELS - 1))], dim=1))
    return halves
