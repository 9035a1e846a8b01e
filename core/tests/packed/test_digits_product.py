"""A product of digits is the float product, but for less than its input's rounding."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from modelry.packed import digits_product as room
from modelry.packed.int8_linear import Int8Linear


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_digits(size: float) -> None:
    x = size * torch.randn(3, 100)
    found, unit = room.digits(x)
    first, second = found.double().chunk(2)
    assert found.dtype is torch.int8
    assert found.shape == (6, 100)
    assert ((first + second / room.BELOW) * unit - x).abs().max() <= 0.51 * unit.max() / room.BELOW


def test_digits_of_nothing() -> None:
    found, unit = room.digits(torch.zeros(2, 8))
    assert not found.any()
    assert torch.isfinite(unit).all()


needs_tiles = pytest.mark.skipif(not room.has_tiles(), reason="the CPU has no tiles")


@needs_tiles
@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_product(int8_layer: Callable[..., Int8Linear], dtype: torch.dtype, rows: int) -> None:
    layer, x = int8_layer(inputs=40, outputs=700, bias=False), torch.randn(rows, 40, dtype=dtype)
    product = room.digits_product(layer, layer.integers, layer.weight_scale)
    assert product is not None
    expected = x.double() @ layer.dequantized(torch.float64).t()
    assert (product(x).double() - expected).norm() < {torch.float32: 1e-4, torch.bfloat16: 4e-3}[
        dtype
    ] * expected.norm()
    assert product(torch.full((1, 40), float("nan"), dtype=dtype)).isnan().all()  # so that somebody is told


@needs_tiles
def test_a_projection_onto_a_vocabulary_takes_it(int8_layer: Callable[..., Int8Linear]) -> None:
    layer, x = int8_layer(inputs=40, outputs=700, bias=True), torch.randn(2, 3, 40)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.dequantized(), layer.bias), rtol=1e-3, atol=1e-3)
    assert layer in room._MADE
    twin = copy.deepcopy(layer)
    assert twin not in room._MADE
    twin.weight_scale.mul_(2)
    layer.load_state_dict(twin.state_dict())  # in place: what was made of the old ones is made again
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.dequantized(), layer.bias), rtol=1e-3, atol=1e-3)
