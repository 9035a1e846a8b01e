"""The packed layer is a linear layer with the weight its integers stand for, for every dtype and row count."""

from collections.abc import Callable

import pytest
import torch

from modelry.packed.int8_linear import Int8Linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (3,), (2, 6), (5, 9), ()])
@pytest.mark.parametrize("inputs", [48, 47])
def test_product(
    dtype: torch.dtype,
    shape: tuple[int, ...],
    inputs: int,
    int8_layer: Callable[..., Int8Linear],
    check_product: Callable[..., None],
) -> None:
    layer = int8_layer(inputs=inputs)
    check_product(layer, torch.randn(*shape, inputs).to(dtype), layer.dequantized())


def test_no_rows(int8_layer: Callable[..., Int8Linear]) -> None:
    assert int8_layer()(torch.empty(0, 48)).shape == (0, 20)


def test_float16_does_not_overflow(int8_layer: Callable[..., Int8Linear]) -> None:
    layer = int8_layer(inputs=512, size=0.01, bias=False)
    assert torch.isfinite(layer(torch.full((40, 512), 30.0, dtype=torch.float16))).all()


@pytest.mark.parametrize("rows", [1, 5])
def test_tensors_that_lie_anywhere(rows: int, int8_layer: Callable[..., Int8Linear]) -> None:
    """As a file that is mapped has them. The kernel ended the process."""
    layer, x = int8_layer(inputs=48), torch.randn(rows, 48).bfloat16()
    expected = layer(x)
    layer._buffers["weight"] = torch.cat([torch.zeros(8, dtype=torch.int8), layer.weight.flatten()])[8:].view(20, 48)
    torch.testing.assert_close(layer(x), expected, atol=0.02, rtol=0.02)
    torch.testing.assert_close(layer.bound(x)(), expected, atol=0.02, rtol=0.02)
    elsewhere = torch.cat([torch.zeros(8).bfloat16(), x.flatten()])[8:].view(rows, 48)
    torch.testing.assert_close(int8_layer(inputs=48)(elsewhere), expected, atol=0.02, rtol=0.02)
