"""How GPTQ checkpoints keep a layer (https://arxiv.org/abs/2210.17323 for the method; the layout is its tools').

I input width   O output width   Q groups   F integers in 32 bits: 32 / bits
qweight (I / F, O) int32: along the inputs, the first in the lowest bits.   qzeros (Q, O / F) int32: along the outputs.
scales (Q, O).   g_idx (I,) int32: the group of each input.   A weight is (integer - zero point) * scale.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from modelry.packed.file_form import GROUP_OF_INPUT, INTEGERS, SCALES, ZEROS, FileForm, Kept
from modelry.packed.int32_fields import gather, spread


@dataclass(frozen=True)
class GptqForm(FileForm):
    """One of the two formats.

    Args:
        less: what is taken off zero points in the file: 1 in the first format, whose largest value stands for 0.
    """

    bits: int
    less: int

    @property
    def lowest_zero(self) -> int:  # type: ignore[override]  # a constant of other forms
        """Not every reader of the first format takes its largest value for 0."""
        return self.less

    def tensors(self, *, inputs: int, outputs: int, groups: int) -> Kept:
        fields = 32 // self.bits
        return {
            INTEGERS: ((inputs // fields, outputs), torch.int32),
            ZEROS: ((groups, outputs // fields), torch.int32),
            SCALES: ((groups, outputs), torch.float16),
            GROUP_OF_INPUT: ((inputs,), torch.int32),
        }

    def integers(self, stored: Tensor) -> Tensor:
        fields = spread(stored, bits=self.bits)  # (I / F, O, F)
        return fields.transpose(0, 1).reshape(stored.shape[1], -1)

    def stored_integers(self, integers: Tensor) -> Tensor:
        fields = integers.view(integers.shape[0], -1, 32 // self.bits)
        return gather(fields.transpose(0, 1), bits=self.bits)

    def zeros(self, stored: Tensor, *, groups: int) -> Tensor:
        zeros: Tensor = (spread(stored, bits=self.bits).flatten(1) + self.less) & (2**self.bits - 1)
        return zeros

    def stored_zeros(self, zeros: Tensor) -> Tensor:
        fields = (zeros - self.less) & (2**self.bits - 1)
        return gather(fields.view(zeros.shape[0], -1, 32 // self.bits), bits=self.bits)

    def scales(self, stored: Tensor, *, groups: int) -> Tensor:
        return stored

    def stored_scales(self, scales: Tensor) -> Tensor:
        return scales
