"""oneDNN's products of float32: PyTorch's numbers, gradients of gradients too; and who keeps PyTorch's products."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from modelry.inference.products import product_into, product_onto
from modelry.nn import float32_product
from modelry.nn.float32_product import takes_float32
from modelry.nn.linear import Linear

ROWS, WIDTH, OUT = 64, 256, 256


@pytest.fixture(autouse=True)
def such_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float32_product, "has_bfloat16_lanes", lambda: True)


@pytest.fixture
def layer() -> Linear:
    torch.manual_seed(0)
    return Linear(WIDTH, OUT)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, ROWS // 2, WIDTH, generator=torch.Generator().manual_seed(1))


def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    seen: list[tuple[int, ...]] = []
    multiplied = float32_product._multiplied

    def noted(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        seen.append((*x.shape, weight.shape[0]))
        return multiplied(x, weight, bias)

    monkeypatch.setattr(float32_product, "_multiplied", noted)
    return seen


@pytest.mark.parametrize("bias", [False, True])
def test_numbers_and_gradients(bias: bool, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, seen = Linear(WIDTH, OUT, bias=bias), calls(monkeypatch)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), F.linear(x, layer.weight, layer.bias))
    given = [x.requires_grad_(), *layer.parameters()]
    weights = torch.randn(2, ROWS // 2, OUT)
    found = torch.autograd.grad((layer(x) * weights).sum(), given)
    expected = torch.autograd.grad((F.linear(x, layer.weight, layer.bias) * weights).sum(), given)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert seen == [(2, ROWS // 2, WIDTH, OUT)] * 2 + [(ROWS, OUT, WIDTH)]


@pytest.mark.parametrize("rows", [1, 15, 17, 95])
@torch.no_grad()
def test_any_number_of_rows(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x, seen = Linear(1024, 512), torch.randn(rows, 1, 1024), calls(monkeypatch)
    found, expected = layer(x), F.linear(x, layer.weight, layer.bias)
    assert len(seen) == 1
    assert found.shape == expected.shape
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_frozen_weights_get_no_gradient(layer: Linear, x: Tensor) -> None:
    layer.requires_grad_(False)
    layer(x.requires_grad_()).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None


def test_gradients_of_gradients(layer: Linear, x: Tensor) -> None:
    def second(y: Tensor, x: Tensor) -> Tensor:
        (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        return second

    x.requires_grad_()
    torch.testing.assert_close(
        second(layer(x), x), second(F.linear(x, layer.weight, layer.bias), x), atol=1e-3, rtol=1e-3
    )


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is:DeprecationWarning")  # torch's, of jvp
def test_transformed_watched_and_traced_it_is_torch_s(
    layer: Linear, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, seen = layer(x).detach(), calls(monkeypatch)
    torch.testing.assert_close(torch.vmap(layer)(x).detach(), expected)
    assert torch.func.grad(lambda x: layer(x).sum())(x).shape == x.shape
    _, forward = torch.func.jvp(layer, (x,), (torch.ones_like(x),))
    torch.testing.assert_close(forward[0, 0].detach(), layer.weight.sum(1).detach(), atol=1e-4, rtol=1e-4)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    assert counter.get_total_flops() == 2 * ROWS * WIDTH * OUT
    assert "aten::linear" in str(torch.export.export(layer, (x,)).graph).replace(".", "::")
    assert not seen


def test_what_else_is_left_to_torch(layer: Linear, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert takes_float32(x, layer.weight)
    assert not takes_float32(x[:, 1:], layer.weight)  # a small one
    assert not takes_float32(x.double(), layer.weight.double())
    assert not takes_float32(x.to("meta"), layer.weight.to("meta"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype is torch.bfloat16
    monkeypatch.setattr(float32_product, "has_bfloat16_lanes", lambda: False)
    assert not takes_float32(x, layer.weight)


@pytest.mark.parametrize("bias", [False, True])
@torch.no_grad()
def test_between_buffers(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer: nn.Linear = Linear(WIDTH, OUT, bias=bias)
    seen, x, out, stream = calls(monkeypatch), torch.zeros(ROWS, WIDTH), torch.empty(ROWS, OUT), torch.randn(ROWS, OUT)
    before = stream.clone()
    into, onto = product_into((layer,), x, out), product_onto(layer, x, stream)
    x.normal_()
    into()
    onto()
    expected = F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(stream, before + expected, atol=1e-5, rtol=1e-4)
    assert seen == [(ROWS, WIDTH, OUT)] * 2
