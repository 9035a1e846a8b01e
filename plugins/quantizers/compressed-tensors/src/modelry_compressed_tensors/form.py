"""How the format pack-quantized keeps a layer.

I input width   O output width   Q groups   F integers in 32 bits: 32 / bits
weight_packed (O, I / F) int32: along the inputs, the first in the lowest bits, each with 2 ** (bits - 1) added to it.
weight_zero_point (O / F, Q) int32: along the outputs, likewise.   weight_scale (O, Q).   weight_shape: O and I.
weight_g_idx (I,): the group of each input.   What does not fill 32 bits is filled with zeros.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from modelry.packed.file_form import FileForm, Kept, Names
from modelry.packed.int32_fields import gather, spread

SHAPE = "weight_shape"


@dataclass(frozen=True)
class PackedForm(FileForm):
    """Of one layer.

    Args:
        one_scale: of the whole tensor, (1,).
    """

    names: ClassVar[Names] = Names("weight_packed", "weight_zero_point", "weight_scale", "weight_g_idx")

    bits: int
    inputs: int
    outputs: int
    one_scale: bool = False

    @property
    def fields(self) -> int:
        """F."""
        return 32 // self.bits

    def tensors(self, *, inputs: int, outputs: int, groups: int) -> Kept:
        return {
            self.names.integers: ((outputs, -(-inputs // self.fields)), torch.int32),
            self.names.scales: ((1,) if self.one_scale else (outputs, groups), torch.float16),
            self.names.zeros: ((-(-outputs // self.fields), groups), torch.int32),
            self.names.group_of_input: ((inputs,), torch.int32),
            SHAPE: ((2,), torch.int64),
        }

    def integers(self, stored: Tensor) -> Tensor:
        return spread(stored, bits=self.bits).flatten(1)[:, : self.inputs].contiguous()

    def stored_integers(self, integers: Tensor) -> Tensor:
        return self._gathered(integers)

    def zeros(self, stored: Tensor, *, groups: int) -> Tensor:
        if stored.dtype == torch.int8:  # (O, Q), as older files have them
            return _turned(stored).add_(1 << (self.bits - 1)).view(torch.uint8)
        return spread(_turned(stored), bits=self.bits).flatten(1)[:, : self.outputs].contiguous()

    def stored_zeros(self, zeros: Tensor) -> Tensor:
        return _turned(self._gathered(zeros))

    def scales(self, stored: Tensor, *, groups: int) -> Tensor:
        scales = stored.expand(self.outputs, 1) if self.one_scale else stored
        return scales.t().contiguous()

    def stored_scales(self, scales: Tensor) -> Tensor:
        return scales[0, :1].clone() if self.one_scale else scales.t().contiguous()

    def _gathered(self, integers: Tensor) -> Tensor:
        """(N, M) bytes to (N, M / F) int32."""
        filled = pad(integers, (0, -integers.shape[1] % self.fields))
        return gather(filled.view(filled.shape[0], -1, self.fields), bits=self.bits)


def _turned(matrix: Tensor) -> Tensor:
    """Transposed, with strides of a new tensor: `contiguous` keeps those of sides of 1, and some allow no view."""
    return matrix.t().clone(memory_format=torch.contiguous_format)
