"""A linear layer whose weight is 8-bit integers, and its products.

M rows of the input   I input width   O output width
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.packed.digits_product import MOST_ROWS, digits_product
from modelry.packed.kernels import int8_product
from modelry.packed.packed_linear import PackedLinear

MOST_ROWS_OF_KERNEL = 12
"""Up to so many rows the CPU takes PyTorch's 8-bit product, whose cost grows with the rows; above it a product in the
input's dtype with integers that are cast to it. Two cores with AMX, (576, 1536) in bfloat16: 118 and 188 µs for 8 rows,
246 and 209 µs for 16."""
MANY_OUTPUTS = 16
"""A layer with so many times as many outputs as inputs is a projection onto a vocabulary, of which each new token reads
all: there, the CPU's tiles are worth a second copy of the integers (`modelry.packed.digits_product`). One core with
AMX, (51864, 384) in bfloat16: 2.3 and 1.6 milliseconds for one row, 4.7 and 1.8 for 5 rows."""
KERNEL_WIDTH = 16
"""The kernel reads so many inputs at a time, past the end of a row if its width is no multiple (PyTorch 2.13)."""
INPUT_ALIGNMENT, WEIGHT_ALIGNMENT = 32, 16
"""Bytes. In bfloat16 it reads whole vectors from where only aligned ones may be read, and the process dies else
(PyTorch 2.13, AVX-512): tensors that are mapped from a file may lie anywhere."""


def product(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    """x W^T with W = weight * scale.

    Args:
        x: (..., I), float32, float16 or bfloat16.
        weight: (O, I) int8.
        scale: (O,).

    Returns:
        (..., O) in x.dtype. Sums run in float32 where the hardware has it so.
    """
    scale = scale.to(x.dtype)
    rows = x.reshape(-1, x.shape[-1])
    fits = x.is_cpu and rows.shape[0] <= MOST_ROWS_OF_KERNEL and rows.shape[1] % KERNEL_WIDTH == 0 and rows.numel()
    if fits and are_aligned(rows := rows.contiguous(), weight):
        y = int8_product(rows, weight, scale)
    elif x.dtype == torch.float16:  # sums of unscaled integers may leave its range
        y = F.linear(rows, whole(weight, scale, x.dtype))
    else:  # -127 ... 127 are exact in bfloat16, and scaling the result is cheaper than scaling the weight
        y = F.linear(rows, weight.to(x.dtype)).mul_(scale)
    return y.view(*x.shape[:-1], weight.shape[0])


def are_aligned(rows: Tensor, weight: Tensor) -> bool:
    """Whether the kernel may read both. A compiler sees no addresses: what it makes is aligned, and so are weights that
    are loaded into memory."""
    if torch.compiler.is_compiling():
        return True
    return rows.data_ptr() % INPUT_ALIGNMENT == weight.data_ptr() % WEIGHT_ALIGNMENT == 0


def aligned(weight: Tensor) -> Tensor:
    """The same, where the kernel may read it: 8-bit integers that lie elsewhere in their file are copied."""
    misses = weight.is_cpu and weight.dtype == torch.int8 and weight.data_ptr() % WEIGHT_ALIGNMENT
    return weight.clone() if misses else weight


def whole(weight: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """(O, I) float weight that the integers stand for."""
    return (weight * scale.float().unsqueeze(1)).to(dtype)


class Int8Linear(PackedLinear):
    """8-bit integers with a scale for each output.

    Args:
        bias: of the layer that is replaced; its values are not taken.
        scale_dtype: of the scales. A product runs in the dtype of its input, to which they are cast.
    """

    weight_scale: Tensor
    """(O,)."""
    output_dims: ClassVar[Mapping[str, int]] = {"weight": 0, "weight_scale": 0}

    def __init__(
        self, in_features: int, out_features: int, *, bias: Tensor | None, scale_dtype: torch.dtype = torch.bfloat16
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.register_buffer("weight", torch.empty(out_features, in_features, dtype=torch.int8))
        self.register_buffer("weight_scale", torch.empty(out_features, dtype=scale_dtype))

    @property
    def bits_kept(self) -> tuple[str, ...]:
        return ("weight_scale",)

    def multiply(self, x: Tensor) -> Tensor:
        integers, rows = self.integers, x.reshape(-1, x.shape[-1])
        if self.out_features >= MANY_OUTPUTS * self.in_features and 0 < rows.shape[0] <= MOST_ROWS:
            by_digits = None if torch.compiler.is_compiling() else digits_product(self, integers, self.weight_scale)
            if by_digits is not None:
                return by_digits(rows).view(*x.shape[:-1], -1)
        return product(x, integers, self.weight_scale)

    def bound(self, x: Tensor) -> Callable[[], Tensor]:
        rows, width = x.shape
        fits = x.is_cpu and x.is_contiguous() and 0 < rows <= MOST_ROWS_OF_KERNEL and width % KERNEL_WIDTH == 0
        if not (fits and are_aligned(x, self.integers)):
            return super().bound(x)
        kernel, weight, scale = torch._weight_int8pack_mm, self.integers, self.weight_scale.to(x.dtype)
        if self.bias is None:
            return lambda: kernel(x, weight, scale)
        bias = self.bias.detach().to(x.dtype)
        return lambda: kernel(x, weight, scale).add_(bias)

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        return whole(self.integers, self.weight_scale, dtype)

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, int8, not trainable"
