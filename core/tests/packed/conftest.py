"""A layout of files as plain as can be, for layers with zero points."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from modelry.packed.file_form import FileForm, Kept


@dataclass(frozen=True)
class PlainForm(FileForm):
    """A byte for each integer and zero point."""

    bits: int

    def tensors(self, *, inputs: int, outputs: int, groups: int) -> Kept:
        return {
            "qweight": ((outputs, inputs), torch.uint8),
            "qzeros": ((groups, outputs), torch.uint8),
            "scales": ((groups, outputs), torch.float16),
            "g_idx": ((inputs,), torch.int32),
        }

    def integers(self, stored: Tensor) -> Tensor:
        return stored

    def stored_integers(self, integers: Tensor) -> Tensor:
        return integers

    def zeros(self, stored: Tensor, *, groups: int) -> Tensor:
        return stored

    def stored_zeros(self, zeros: Tensor) -> Tensor:
        return zeros

    def scales(self, stored: Tensor, *, groups: int) -> Tensor:
        return stored

    def stored_scales(self, scales: Tensor) -> Tensor:
        return scales


@pytest.fixture
def plain_form() -> type[PlainForm]:
    return PlainForm
