"""The packed layer is a linear layer with the weight its integers stand for, for every dtype and row count."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from modelry.errors import QuantizationError
from modelry.packed.int8_linear import Int8Linear
from modelry.packed.int8_packing import pack_rows

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}


def packed(inputs: int = 48, outputs: int = 20, *, bias: bool = True, size: float = 1.0) -> Int8Linear:
    torch.manual_seed(0)
    layer = Int8Linear(inputs, outputs, bias=torch.empty(outputs) if bias else None)
    layer._buffers["weight"], layer._buffers["weight_scale"] = pack_rows(torch.randn(outputs, inputs) * size)
    if bias:
        nn.init.normal_(layer.bias)
    return layer


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("shape", [(1, 1), (3,), (2, 6), (5, 9), ()])
@pytest.mark.parametrize("inputs", [48, 47])
def test_product(dtype: torch.dtype, shape: tuple[int, ...], inputs: int) -> None:
    layer = packed(inputs)
    x = torch.randn(*shape, inputs).to(dtype)
    y = layer(x)
    expected = F.linear(x.float(), layer.dequantized(), layer.bias)
    assert (y.dtype, y.shape) == (dtype, expected.shape)
    assert ((y.float() - expected).norm() / expected.norm()) < TOLERANCE[dtype]


def test_no_rows() -> None:
    assert packed()(torch.empty(0, 48)).shape == (0, 20)


def test_float16_does_not_overflow() -> None:
    y = packed(512, size=0.01, bias=False)(torch.full((40, 512), 30.0, dtype=torch.float16))
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("rows", [4, 40])
def test_the_input_gets_its_gradient(rows: int) -> None:
    layer = packed()
    x = torch.randn(rows, 48, requires_grad=True)
    again = x.detach().clone().requires_grad_()
    layer(x).square().sum().backward()
    F.linear(again, layer.dequantized(), layer.bias).square().sum().backward()
    assert torch.allclose(x.grad, again.grad, rtol=1e-4, atol=1e-3)


def test_an_adapter_trains_and_the_weight_does_not() -> None:
    torch.manual_seed(0)
    layer, down, up = packed(), nn.Linear(48, 4, bias=False), nn.Linear(4, 20, bias=False)
    nn.init.zeros_(up.weight)
    before = copy.deepcopy(layer.state_dict())
    x, wanted = torch.randn(64, 48), torch.randn(64, 20)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    layer.requires_grad_(False)
    optimizer = torch.optim.Adam([*down.parameters(), *up.parameters()], lr=0.02)
    losses = []
    for _ in range(40):
        hidden = x + up(down(x)) @ layer.dequantized()  # an adapter before the layer needs the layer's input gradient
        loss = F.mse_loss(layer(hidden) + up(down(x)), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(before[name], one) for name, one in layer.state_dict().items())


def test_training_integers_is_refused() -> None:
    with pytest.raises(QuantizationError, match=r"cannot be trained\. Train an adapter"):
        packed().requires_grad_()
    assert "not trainable" in repr(packed())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_cast_keeps_the_bits(dtype: torch.dtype) -> None:
    layer = packed(size=1e-7)
    cast = copy.deepcopy(layer).to(dtype)
    assert cast.bias.dtype == dtype
    assert torch.equal(cast.weight, layer.weight)
    assert torch.equal(cast.weight_scale, layer.weight_scale)
    assert list(cast.state_dict()) == list(layer.state_dict())
