"""The packed layer is a linear layer with the weight its integers stand for, for every dtype, layout and row count."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from modelry.errors import QuantizationError
from modelry.packed.int4_layouts import CpuLayout, FileLayout
from modelry.packed.int4_linear import Int4Linear
from modelry.packed.int4_packing import pack_groups

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}


def packed(outputs: int = 128, inputs: int = 96, *, group: int = 32, bias: bool = True) -> Int4Linear:
    torch.manual_seed(0)
    layer = Int4Linear(inputs, outputs, group_size=group, bias=torch.empty(outputs) if bias else None)
    integers, scale_and_zero = pack_groups(torch.randn(outputs, inputs), group_size=group)
    layer._buffers["weight"], layer._buffers["weight_scale_and_zero"] = integers, scale_and_zero
    if bias:
        nn.init.normal_(layer.bias)
    layer.lay_out()
    return layer


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("shape", [(1, 1), (3,), (2, 6), (5, 9), (), (0,)])
@pytest.mark.parametrize(("outputs", "layout"), [(128, CpuLayout), (20, FileLayout)])
def test_product(dtype: torch.dtype, shape: tuple[int, ...], outputs: int, layout: type) -> None:
    layer = packed(outputs)
    assert isinstance(layer.layout, layout)
    x = torch.randn(*shape, 96).to(dtype)
    y = layer(x)
    expected = F.linear(x.float(), layer.dequantized(), layer.bias)
    assert (y.dtype, y.shape) == (dtype, expected.shape)
    if y.numel():
        assert ((y.float() - expected).norm() / expected.norm()) < TOLERANCE[dtype]


@pytest.mark.parametrize("group", [32, 64, 128, 256])
@pytest.mark.parametrize("rows", [2, 40])
def test_every_group_size(group: int, rows: int) -> None:
    layer = packed(64, 512, group=group, bias=False)
    x = torch.randn(rows, 512)
    assert torch.allclose(layer(x), x @ layer.dequantized().t(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("rows", [4, 40])
@pytest.mark.parametrize("outputs", [128, 20])
def test_the_input_gets_its_gradient(rows: int, outputs: int) -> None:
    layer = packed(outputs)
    x = torch.randn(rows, 96, requires_grad=True)
    again = x.detach().clone().requires_grad_()
    layer(x).square().sum().backward()
    F.linear(again, layer.dequantized(), layer.bias).square().sum().backward()
    assert torch.allclose(x.grad, again.grad, rtol=1e-4, atol=1e-2)


def test_an_adapter_trains_and_the_weight_does_not() -> None:
    torch.manual_seed(0)
    layer, down, up = packed(96), nn.Linear(96, 4, bias=False), nn.Linear(4, 96, bias=False)
    nn.init.zeros_(up.weight)
    before = copy.deepcopy(layer.state_dict())
    x, wanted = torch.randn(64, 96), torch.randn(64, 96)
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    layer.requires_grad_(False)
    optimizer = torch.optim.Adam([*down.parameters(), *up.parameters()], lr=0.02)
    losses = []
    for _ in range(40):
        hidden = x + up(down(x))  # an adapter before the layer needs the gradient of the layer's input
        loss = F.mse_loss(layer(hidden), wanted)
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
    layer = packed()
    cast = copy.deepcopy(layer).to(dtype)
    assert cast.bias.dtype == dtype
    assert isinstance(cast.layout, CpuLayout)
    ours, theirs = layer.state_dict(), cast.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ("weight", "weight_scale_and_zero"))


def test_state_dict_is_the_same_in_every_layout() -> None:
    laid = packed()
    plain = Int4Linear(96, 128, group_size=32, bias=torch.empty(128))
    assert isinstance(plain.layout, FileLayout)
    plain.load_state_dict(laid.state_dict())
    assert isinstance(plain.layout, CpuLayout)
    assert torch.equal(plain.weight, laid.weight)
    x = torch.randn(3, 96)
    assert torch.equal(plain(x), laid(x))
