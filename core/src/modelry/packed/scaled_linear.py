"""A linear layer whose weight is 8-bit numbers, floating (e4m3) or whole, with a scale for each block of them.

M rows of the input   I input width   O output width   r outputs and c inputs of a block
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.packed import float8_product, int8_linear
from modelry.packed.packed_linear import PackedLinear
from modelry.packed.scaled_packing import E4M3, WEIGHTS_AT_A_TIME, as_floats, blocks


class ScaledLinear(PackedLinear):
    """8-bit numbers in blocks; in memory they lie as in a file.

    Products run in the dtype of the input, with the weight made whole for the call: memory stays packed. Where
    `quantizes_input`, a GPU that multiplies e4m3 numbers does so, with each row of the input rounded to e4m3 as well.

    Args:
        dtype: of the weight, torch.float8_e4m3fn or torch.int8.
        block: (r, c); the last blocks may reach over the end of the weight.
        bias: of the layer that is replaced; its values are not taken.
        scale_name: of the scales among the buffers and in files.
        scale_shape: in files, where it is another than (blocks of O, blocks of I): (), (1,), (O,).
        zero_dtype: of the whole zero points beside the scales, `weight_zero_point`; None where there are none.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        dtype: torch.dtype,
        block: tuple[int, int],
        bias: Tensor | None,
        scale_name: str = "weight_scale",
        scale_shape: tuple[int, ...] | None = None,
        scale_dtype: torch.dtype = torch.float32,
        zero_dtype: torch.dtype | None = None,
        quantizes_input: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.block = min(block[0], out_features), min(block[1], in_features)
        self.grid = blocks(out_features, self.block[0]), blocks(in_features, self.block[1])
        self.scale_name = scale_name
        self.quantizes_input = quantizes_input
        shape = self.grid if scale_shape is None else scale_shape
        zero = None if zero_dtype is None else torch.empty(shape, dtype=zero_dtype)
        self.register_buffer("weight", torch.empty(out_features, in_features, dtype=dtype))
        self.register_buffer(scale_name, torch.empty(shape, dtype=scale_dtype))
        self.register_buffer("weight_zero_point", zero)

    @property
    def bits_kept(self) -> tuple[str, ...]:
        return ("weight", self.scale_name)

    @property
    def numbers(self) -> Tensor:
        """(O, I)."""
        numbers = self._buffers["weight"]
        assert numbers is not None
        return numbers

    def multiply(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features)
        scale = self._scale_of_rows()
        if scale is None:
            y = F.linear(rows, self.dequantized(x.dtype))
        elif self.numbers.dtype == torch.int8:
            y = int8_linear.product(rows, self.numbers, scale.reshape(-1).contiguous())  # the kernel knows no strides
        elif self.runs_on_hardware() and rows.numel():
            y = float8_product.product(rows, self.numbers, scale)
        elif x.dtype == torch.float16:  # sums of unscaled numbers may leave its range
            y = F.linear(rows, self.dequantized(x.dtype))
        else:  # scaling the result is cheaper than scaling the weight
            y = F.linear(rows, as_floats(self.numbers, x.dtype)).mul_(scale.view(-1).to(x.dtype))
        return y.view(*x.shape[:-1], self.out_features)

    def runs_on_hardware(self) -> bool:
        """Whether its products are of e4m3 numbers."""
        fits = self.in_features % float8_product.WIDTH == self.out_features % float8_product.WIDTH == 0
        able = fits and self.quantizes_input and self.numbers.dtype == E4M3
        return able and self._scale_of_rows() is not None and float8_product.multiplies_float8(self.numbers.device)

    def makes_weights_whole(self) -> bool:
        """Whether a product needs the weight in a float dtype."""
        of_integers = self.numbers.dtype == torch.int8 and self._scale_of_rows() is not None
        return not of_integers and not self.runs_on_hardware()

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight that the numbers stand for, computed in float32."""
        weight = torch.empty(self.numbers.shape, dtype=dtype, device=self.numbers.device)
        scale, zero = self._by_block(self.scale_name), self._by_block("weight_zero_point")
        assert scale is not None
        block_of = torch.arange(self.out_features, device=weight.device) // self.block[0]
        rows = max(1, WEIGHTS_AT_A_TIME // self.in_features)
        parts = zip(*(torch.split(one, rows) for one in (self.numbers, weight, block_of)), strict=True)
        for part, into, block in parts:
            floats = as_floats(part, torch.float32)
            if zero is not None:
                floats.sub_(self._by_column(zero[block]))
            into.copy_(floats.mul_(self._by_column(scale[block])))
        return weight

    def _scale_of_rows(self) -> Tensor | None:
        """(O, 1) float32 scales, where every row has one and there are no zero points."""
        of_rows = self.grid in ((1, 1), (self.out_features, 1)) and self._buffers["weight_zero_point"] is None
        scale = self._by_block(self.scale_name) if of_rows else None
        return None if scale is None else scale.expand(self.out_features, 1)

    def _by_block(self, name: str) -> Tensor | None:
        """(blocks of O, blocks of I) float32, or None where there is no such buffer."""
        found = self._buffers[name]
        return None if found is None else found.float().view(self.grid)

    def _by_column(self, of_blocks: Tensor) -> Tensor:
        """(M, blocks of I) to (M, I) or what multiplies like it."""
        if self.grid[1] == 1:
            return of_blocks
        return of_blocks.repeat_interleave(self.block[1], dim=1)[:, : self.in_features]

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        kind = "e4m3" if self.numbers.dtype == E4M3 else "int8"
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, "
            f"{kind} in blocks of {self.block[0]} x {self.block[1]}, not trainable"
        )
