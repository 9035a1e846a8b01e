"""What every packed layer is: gradients go through it, adapters on it train, its integers do not; casts keep bits."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from modelry.errors import QuantizationError
from modelry.packed import Int4Linear, PackedLinear
from modelry.packed.int4_layouts import CpuLayout


@pytest.fixture(params=["int4", "int8"])
def make(request: pytest.FixtureRequest) -> Callable[..., PackedLinear]:
    layer: Callable[..., PackedLinear] = request.getfixturevalue(f"{request.param}_layer")
    return layer


@pytest.mark.parametrize("rows", [4, 40])
@pytest.mark.parametrize("outputs", [128, 20])
def test_the_input_gets_its_gradient(rows: int, outputs: int, make: Callable[..., PackedLinear]) -> None:
    layer = make(outputs)
    x = torch.randn(rows, layer.in_features, requires_grad=True)
    again = x.detach().clone().requires_grad_()
    layer(x).square().sum().backward()
    F.linear(again, layer.dequantized(), layer.bias).square().sum().backward()
    assert torch.allclose(x.grad, again.grad, rtol=1e-4, atol=1e-2 if isinstance(layer, Int4Linear) else 1e-3)


def test_an_adapter_trains_and_the_weight_does_not(make: Callable[..., PackedLinear]) -> None:
    torch.manual_seed(0)
    layer, down, up = make(96, 96), nn.Linear(96, 4, bias=False), nn.Linear(4, 96, bias=False)
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


def test_training_integers_is_refused(make: Callable[..., PackedLinear]) -> None:
    with pytest.raises(QuantizationError, match=r"cannot be trained\. Train an adapter"):
        make().requires_grad_()
    assert "not trainable" in repr(make())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_cast_keeps_the_bits(dtype: torch.dtype, make: Callable[..., PackedLinear]) -> None:
    layer = make(size=1e-7)  # scales that float16 does not have
    cast = copy.deepcopy(layer).to(dtype)
    assert cast.bias.dtype == dtype
    assert not isinstance(cast, Int4Linear) or isinstance(cast.layout, CpuLayout)
    ours, theirs = layer.state_dict(), cast.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(one, theirs[name]) for name, one in ours.items() if name != "bias")
