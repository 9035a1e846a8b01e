"""How AWQ checkpoints keep a layer (https://arxiv.org/abs/2306.00978 for the method; the layouts are its tools').

I input width   O output width   Q groups   F integers in 32 bits: 32 / bits   Z 32-bit integers for a row's zero points
A weight is (integer - zero point) * scale.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from modelry.packed.file_form import INTEGERS, SCALES, ZEROS, FileForm, Kept
from modelry.packed.int32_fields import gather, spread

OUTPUT_OF_FIELD = {4: (0, 2, 4, 6, 1, 3, 5, 7), 8: (0, 2, 1, 3)}
"""Bits to which of F neighbouring outputs each field of a 32-bit integer has, from the lowest bits on."""
FIELD_OF_OUTPUT = {4: (0, 4, 1, 5, 2, 6, 3, 7), 8: (0, 2, 1, 3)}


@dataclass(frozen=True)
class GemmForm(FileForm):
    """qweight (I, O / F) int32, qzeros (Q, O / F) int32, both along the outputs and interleaved; scales (Q, O)."""

    bits: int

    def tensors(self, *, inputs: int, outputs: int, groups: int) -> Kept:
        columns = outputs * self.bits // 32
        return {
            INTEGERS: ((inputs, columns), torch.int32),
            ZEROS: ((groups, columns), torch.int32),
            SCALES: ((groups, outputs), torch.float16),
        }

    def integers(self, stored: Tensor) -> Tensor:
        return self._spread(stored).t().contiguous()

    def stored_integers(self, integers: Tensor) -> Tensor:
        return self._gather(integers.t())

    def zeros(self, stored: Tensor, *, groups: int) -> Tensor:
        return self._spread(stored)

    def stored_zeros(self, zeros: Tensor) -> Tensor:
        return self._gather(zeros)

    def scales(self, stored: Tensor, *, groups: int) -> Tensor:
        return stored

    def stored_scales(self, scales: Tensor) -> Tensor:
        return scales

    def _spread(self, stored: Tensor) -> Tensor:
        """(..., O / F) to (..., O)."""
        return spread(stored, bits=self.bits)[..., list(FIELD_OF_OUTPUT[self.bits])].flatten(-2)

    def _gather(self, outputs_last: Tensor) -> Tensor:
        fields = outputs_last.reshape(outputs_last.shape[0], -1, 32 // self.bits)
        return gather(fields[..., list(OUTPUT_OF_FIELD[self.bits])], bits=self.bits)


@dataclass(frozen=True)
class GemvForm(FileForm):
    """qweight (O, I / 8) int32, qzeros (O, Z) int32, scales (O, 8 Z): a row together, in plain order, filled up with 0.

    Args:
        group_size: G, on which Z depends; -1: a row is one group.
    """

    group_size: int
    bits: int = 4

    def tensors(self, *, inputs: int, outputs: int, groups: int) -> Kept:
        width = self._zeros_width(groups)
        return {
            INTEGERS: ((outputs, inputs // 8), torch.int32),
            ZEROS: ((outputs, width), torch.int32),
            SCALES: ((outputs, 8 * width), torch.float16),
        }

    def integers(self, stored: Tensor) -> Tensor:
        return spread(stored, bits=4).flatten(1)

    def stored_integers(self, integers: Tensor) -> Tensor:
        return gather(integers.view(integers.shape[0], -1, 8), bits=4)

    def zeros(self, stored: Tensor, *, groups: int) -> Tensor:
        return spread(stored, bits=4).flatten(1)[:, :groups].t()

    def stored_zeros(self, zeros: Tensor) -> Tensor:
        return self.stored_integers(self._filled_up(zeros))

    def scales(self, stored: Tensor, *, groups: int) -> Tensor:
        return stored[:, :groups].t()

    def stored_scales(self, scales: Tensor) -> Tensor:
        return self._filled_up(scales)

    def _filled_up(self, of_groups: Tensor) -> Tensor:
        """(Q, O) to (O, 8 Z)."""
        groups, outputs = of_groups.shape
        filled = of_groups.new_zeros(outputs, 8 * self._zeros_width(groups))
        filled[:, :groups] = of_groups.t()
        return filled

    def _zeros_width(self, groups: int) -> int:
        """Z: the kernel that the layout was made for reads zero points in steps that depend on the group size."""
        steps = {32: 4, 64: 2}.get(self.group_size, 1)
        return -(-groups // (8 * steps)) * steps
