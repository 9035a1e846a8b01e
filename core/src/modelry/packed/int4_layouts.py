"""How the integers of a layer lie in memory: as in a file, or as a kernel of the device wants them.

M rows of the input   I input width   O output width   G inputs in a group   R rows of a block of the CPU's kernel
A layout is chosen when a layer is placed (`layout_for`) and left when it is saved or moved.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from modelry.packed.int4_packing import LEVELS, LOWER, MIDDLE, UPPER, fold, unfold
from modelry.packed.kernels import int4_product

MOST_ROWS_OF_KERNEL = 32
"""Up to so many rows the CPU takes the 4-bit product, whose cost grows with the rows; above it a product with the
weight made whole."""
WEIGHTS_AT_A_TIME = 1 << 20
"""Bounds the memory that laying out takes, and keeps it in the processor's cache."""
IDENTITY_ROWS = 1024
"""Columns of a weight that are read back from a CUDA kernel at a time."""


class Layout(ABC):
    """One way to lie in memory. Weights are (O, I / 2) bytes in a file."""

    @abstractmethod
    def lay(self, packed: Tensor) -> Tensor:
        """From the file's layout to this one."""

    @abstractmethod
    def centred(self, kept: Tensor, *, outputs: int, inputs: int, dtype: torch.dtype) -> Tensor:
        """(I, O) integers of -8 ... 7, in a dtype."""

    def multiply(self, x: Tensor, kept: Tensor, scale_and_zero: Tensor, *, group_size: int) -> Tensor | None:
        """(M, I) to (M, O), or None where this layout has no kernel for it."""
        return None

    def bound(self, x: Tensor, kept: Tensor, scale_and_zero: Tensor, *, group_size: int) -> Callable[[], Tensor] | None:
        """`multiply` for a buffer (M, I) whose values change between calls; None where there is no kernel for it."""
        return None

    def as_in_files(self, kept: Tensor, *, outputs: int, inputs: int) -> Tensor:
        """The inverse of `lay`, bit by bit."""
        integers = self.centred(kept, outputs=outputs, inputs=inputs, dtype=torch.int8).add_(MIDDLE)
        return fold(integers.view(torch.uint8).t().contiguous())


@dataclass(frozen=True)
class FileLayout(Layout):
    """As in a file. Has no kernel, and works on every device."""

    def lay(self, packed: Tensor) -> Tensor:
        return packed

    def centred(self, kept: Tensor, *, outputs: int, inputs: int, dtype: torch.dtype) -> Tensor:
        return unfold(kept).view(torch.int8).sub_(MIDDLE).t().to(dtype, memory_format=torch.contiguous_format)

    def as_in_files(self, kept: Tensor, *, outputs: int, inputs: int) -> Tensor:
        return kept


@dataclass(frozen=True)
class CpuLayout(Layout):
    """For `_weight_int4pack_mm_for_cpu`: blocks of R rows; for each input R / 2 bytes, byte j with row j in its lower
    half and row j + R / 2 in its upper one. R is 64 with AVX-512, and 32 without.
    """

    block: int

    def lay(self, packed: Tensor) -> Tensor:
        """What the kernel's converter does, which wants four bytes for each integer and takes five times as long."""
        laid = torch.empty_like(packed)
        half, pairs = self.block // 2, packed.shape[1]
        rows = self.block * max(1, WEIGHTS_AT_A_TIME // (2 * pairs * self.block))
        for part, into in zip(torch.split(packed, rows), torch.split(laid, rows), strict=True):
            first, second = part.view(-1, 2, half, pairs).unbind(1)  # (O / R, R / 2, I / 2): rows j, rows j + R / 2
            columns = into.view(-1, pairs, 2, half)
            columns[:, :, 0] = ((first >> 4) | (second & UPPER)).transpose(1, 2)
            columns[:, :, 1] = ((first & LOWER) | (second << 4)).transpose(1, 2)
        return laid

    def centred(self, kept: Tensor, *, outputs: int, inputs: int, dtype: torch.dtype) -> Tensor:
        half = self.block // 2
        pairs = kept.view(-1, inputs, half).transpose(0, 1)  # (I, O / R, R / 2)
        whole = torch.empty(inputs, outputs // self.block, self.block, dtype=dtype)
        whole[..., :half] = (pairs & LOWER).view(torch.int8).sub_(MIDDLE)
        whole[..., half:] = (pairs >> 4).view(torch.int8).sub_(MIDDLE)
        return whole.view(inputs, outputs)

    def multiply(self, x: Tensor, kept: Tensor, scale_and_zero: Tensor, *, group_size: int) -> Tensor | None:
        if not 0 < x.shape[0] <= MOST_ROWS_OF_KERNEL:
            return None
        return int4_product(x, kept, group_size, scale_and_zero.to(x.dtype))

    def bound(self, x: Tensor, kept: Tensor, scale_and_zero: Tensor, *, group_size: int) -> Callable[[], Tensor] | None:
        if not (0 < x.shape[0] <= MOST_ROWS_OF_KERNEL and x.is_contiguous()):
            return None
        kernel, scale_and_zero = torch._weight_int4pack_mm_for_cpu, scale_and_zero.to(x.dtype)
        return lambda: kernel(x, kept, group_size, scale_and_zero)


@dataclass(frozen=True)
class CudaLayout(Layout):
    """For `_weight_int4pack_mm`, which computes in bfloat16. What lies where is the kernel's affair: the integers are
    read back as its product with the identity, which is exact."""

    tiles: int
    """Inner tiles of 16 inputs."""

    def lay(self, packed: Tensor) -> Tensor:
        laid: Tensor = torch.ops.aten._convert_weight_to_int4pack(packed, self.tiles)
        return laid

    def centred(self, kept: Tensor, *, outputs: int, inputs: int, dtype: torch.dtype) -> Tensor:
        one_and_nothing = torch.tensor([1.0, 0.0], dtype=torch.bfloat16, device=kept.device)
        plain = one_and_nothing.expand(inputs // 32, outputs, 2).contiguous()
        whole = torch.empty(inputs, outputs, dtype=dtype, device=kept.device)
        for start in range(0, inputs, IDENTITY_ROWS):
            rows = min(IDENTITY_ROWS, inputs - start)
            identity = torch.zeros(rows, inputs, dtype=torch.bfloat16, device=kept.device)
            identity[:, start : start + rows].fill_diagonal_(1)
            whole[start : start + rows] = torch.ops.aten._weight_int4pack_mm(identity, kept, 32, plain)
        return whole

    def multiply(self, x: Tensor, kept: Tensor, scale_and_zero: Tensor, *, group_size: int) -> Tensor | None:
        if x.dtype != torch.bfloat16 or not x.shape[0]:
            return None
        y: Tensor = torch.ops.aten._weight_int4pack_mm(x, kept, group_size, scale_and_zero.to(x.dtype))
        return y


def layout_for(device: torch.device, *, outputs: int, inputs: int) -> Layout:
    """The fastest layout for a layer on a device; the file's where no kernel takes it."""
    if device.type == "cpu":
        block = cpu_block()
        if block and outputs % block == 0 and inputs % 32 == 0:
            return CpuLayout(block)
    elif device.type == "cuda" and outputs % 8 == 0 and inputs % 32 == 0 and cuda_kernel_works(device):
        return CudaLayout(next(tiles for tiles in (8, 4, 2) if inputs % (tiles * 16) == 0))
    return FileLayout()


@cache
def cpu_block() -> int:
    """R of this machine's kernel; 0 where its layout is one we do not know. Found by what its converter makes of known
    integers."""
    integers = torch.arange(64 * 32, device="cpu").mul_(7).div_(5, rounding_mode="floor").view(64, 32) % LEVELS
    laid = torch.ops.aten._convert_weight_to_int4pack_for_cpu(integers.int(), 1).view(64, 16)
    packed = fold(integers.to(torch.uint8))
    for layout in (CpuLayout(64), CpuLayout(32)):
        if torch.equal(layout.lay(packed), laid):
            return layout.block
    return 0


@cache
def cuda_kernel_works(device: torch.device) -> bool:
    """Whether the GPU has the kernel and it reads what `lay` writes: held against known integers."""
    integers = torch.arange(16 * 128, device=device).mul_(7).div_(5, rounding_mode="floor").view(16, 128) % LEVELS
    packed = fold(integers.to(torch.uint8))
    layout = CudaLayout(8)
    try:
        return torch.equal(layout.as_in_files(layout.lay(packed), outputs=16, inputs=128), packed)
    except RuntimeError:  # an older GPU, or a build without the kernel (NotImplementedError, which is one)
        return False
