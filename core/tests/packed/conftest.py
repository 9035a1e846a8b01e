"""Packed layers of random weights, what a product must be, and a layout of files as plain as can be."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.packed import Int4Linear, Int8Linear, PackedLinear
from modelry.packed.file_form import FileForm, Kept
from modelry.packed.int4_packing import pack_groups
from modelry.packed.int8_packing import pack_rows

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}


@pytest.fixture
def int4_layer() -> Callable[..., Int4Linear]:
    """A function: sizes -> a layer of 4-bit integers, laid out."""

    def make(
        outputs: int = 128, inputs: int = 96, *, group: int = 32, bias: bool = True, size: float = 1.0
    ) -> Int4Linear:
        torch.manual_seed(0)
        layer = Int4Linear(inputs, outputs, group_size=group, bias=torch.empty(outputs) if bias else None)
        integers, scale_and_zero = pack_groups(torch.randn(outputs, inputs) * size, group_size=group)
        layer._buffers["weight"], layer._buffers["weight_scale_and_zero"] = integers, scale_and_zero
        if bias:
            nn.init.normal_(layer.bias)
        layer.lay_out()
        return layer

    return make


@pytest.fixture
def int8_layer() -> Callable[..., Int8Linear]:
    """A function: sizes -> a layer of 8-bit integers."""

    def make(outputs: int = 20, inputs: int = 48, *, bias: bool = True, size: float = 1.0) -> Int8Linear:
        torch.manual_seed(0)
        layer = Int8Linear(inputs, outputs, bias=torch.empty(outputs) if bias else None)
        layer._buffers["weight"], layer._buffers["weight_scale"] = pack_rows(torch.randn(outputs, inputs) * size)
        if bias:
            nn.init.normal_(layer.bias)
        return layer

    return make


@pytest.fixture
def check_product() -> Callable[[PackedLinear, Tensor, Tensor], None]:
    """A function: layer, input, float weight -> nothing, where the output is that of the weight."""

    def check(layer: PackedLinear, x: Tensor, weight: Tensor) -> None:
        y, expected = layer(x), F.linear(x.float(), weight, layer.bias)
        assert (y.dtype, y.shape) == (x.dtype, expected.shape)
        if y.numel():
            assert ((y.float() - expected).norm() / expected.norm()) < TOLERANCE[x.dtype]

    return check


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
