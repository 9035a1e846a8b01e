"""8-bit numbers in blocks: products and gradients against weights made whole number by number."""

import copy

import pytest
import torch
from torch import Tensor

from modelry.errors import QuantizationError
from modelry.packed.float8_product import product
from modelry.packed.scaled_linear import ScaledLinear
from modelry.packed.scaled_packing import E4M3

INPUTS, OUTPUTS = 48, 32
BLOCKS = [(OUTPUTS, INPUTS), (1, INPUTS), (1, 16), (16, 16), (20, 10), (128, 128)]


def made(block: tuple[int, int], dtype: torch.dtype, zero_dtype: torch.dtype | None = None) -> ScaledLinear:
    torch.manual_seed(1)
    layer = ScaledLinear(INPUTS, OUTPUTS, dtype=dtype, block=block, bias=torch.empty(OUTPUTS), zero_dtype=zero_dtype)
    layer.numbers.copy_((torch.randn(OUTPUTS, INPUTS) * 20).clamp(-127, 127))
    layer.weight_scale.uniform_(0.01, 0.02)
    layer.bias.data.normal_()
    if zero_dtype is not None:
        layer.weight_zero_point.copy_(torch.randint(-8, 8, layer.weight_scale.shape))
    return layer


def whole(layer: ScaledLinear) -> Tensor:
    """Number by number, as the formats say."""
    weight = torch.empty(OUTPUTS, INPUTS)
    high, wide = layer.block
    for row in range(OUTPUTS):
        for column in range(INPUTS):
            at = row // high, column // wide
            zero = 0.0 if layer.weight_zero_point is None else float(layer.weight_zero_point[at])
            weight[row, column] = (float(layer.numbers[row, column]) - zero) * float(layer.weight_scale[at])
    return weight


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("dtype", [E4M3, torch.int8])
def test_against_loops(block: tuple[int, int], dtype: torch.dtype) -> None:
    layer = made(block, dtype)
    expected = whole(layer)
    assert torch.equal(layer.dequantized(), expected)
    x = torch.randn(2, 3, INPUTS)
    torch.testing.assert_close(layer(x), x @ expected.t() + layer.bias, rtol=1e-5, atol=1e-5)
    for low in (torch.float16, torch.bfloat16):
        near = (layer(x.to(low)).float() - (x @ expected.t() + layer.bias)).norm()
        assert near < 0.02 * (x @ expected.t()).norm()


@pytest.mark.parametrize("block", [(1, INPUTS), (1, 16)])
def test_zero_points(block: tuple[int, int]) -> None:
    layer = made(block, torch.int8, torch.int8)
    x = torch.randn(3, INPUTS)
    torch.testing.assert_close(layer(x), x @ whole(layer).t() + layer.bias)


def test_one_scale_without_dimensions() -> None:
    layer = ScaledLinear(
        INPUTS, OUTPUTS, dtype=E4M3, block=(OUTPUTS, INPUTS), bias=None, scale_name="weight_scale_inv", scale_shape=()
    )
    layer.numbers.fill_(2)
    layer.weight_scale_inv.fill_(0.5)
    assert layer(torch.ones(1, INPUTS)).tolist() == [[INPUTS] * OUTPUTS]


@pytest.mark.parametrize("block", [(1, INPUTS), (16, 16)])
def test_gradient_of_the_input(block: tuple[int, int]) -> None:
    layer = made(block, E4M3)
    x = torch.randn(3, INPUTS, requires_grad=True)
    layer(x).square().sum().backward()
    other = x.detach().clone().requires_grad_()
    (other @ whole(layer).t() + layer.bias).square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)
    with pytest.raises(QuantizationError, match="cannot be trained"):
        layer.requires_grad_(True)


@pytest.mark.parametrize("dtype", [E4M3, torch.int8])
def test_a_cast_keeps_the_bits(dtype: torch.dtype) -> None:
    layer = made((16, 16), dtype)
    cast = copy.deepcopy(layer).to(torch.bfloat16)
    assert cast.numbers.dtype == dtype
    assert torch.equal(cast.weight.view(torch.uint8), layer.weight.view(torch.uint8))
    assert torch.equal(cast.weight_scale, layer.weight_scale)
    assert cast.bias.dtype == torch.bfloat16


def test_other_widths_than_the_hardware_takes() -> None:
    layer = ScaledLinear(24, 10, dtype=E4M3, block=(1, 24), bias=None, quantizes_input=True)
    assert not layer.runs_on_hardware()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu() -> None:
    for block in BLOCKS:
        layer = made(block, E4M3)
        layer.quantizes_input = True
        x = torch.randn(5, INPUTS)
        expected = x @ whole(layer).t() + layer.bias
        found = layer.cuda()(x.cuda().bfloat16()).float().cpu()
        assert (found - expected).norm() < 0.05 * expected.norm()


def test_product_of_rounded_rows() -> None:
    torch.manual_seed(2)
    x, weight = torch.randn(4, 32), torch.randn(16, 32).to(E4M3)
    scale = torch.rand(16, 1) + 0.5
    try:
        found = product(x, weight, scale)
    except (RuntimeError, NotImplementedError, ValueError) as error:
        pytest.skip(f"PyTorch's product for this device does not take a scale for each row: {error}")
    expected = x @ (weight.float() * scale).t()
    assert (found - expected).norm() < 0.06 * expected.norm()


def test_others_see_bytes() -> None:
    """PEFT gives an adapter the dtype of a floating weight, in which nobody can train."""
    layer = made((1, INPUTS), E4M3)
    assert not layer.weight.is_floating_point()
    assert layer.weight.equal(layer.numbers.view(torch.uint8))
