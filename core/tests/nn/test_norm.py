"""The norm as published, and the form for one row equal to it."""

import pytest
import torch

from modelry.nn.norm import RMSNorm, rms_norm


def published(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    wide = x.double()
    normal = wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return normal.to(x.dtype) * weight


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(1, 1, 96), (96,), (2, 3, 96), (1, 2, 96)])
@pytest.mark.parametrize("gradients", [False, True])
def test_as_published(shape: tuple[int, ...], dtype: torch.dtype, gradients: bool) -> None:
    make = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(size, generator=make).mul(3).to(dtype) for size in (shape, (96,)))
    with torch.set_grad_enabled(gradients):
        out = rms_norm(x, weight, 1e-5)
    assert out.dtype is dtype
    if dtype is torch.float32:
        torch.testing.assert_close(out, published(x, weight, 1e-5), atol=1e-5, rtol=1e-6)
    else:  # one rounding apart where float32 and float64 round to different neighbours
        assert (out != published(x, weight, 1e-5)).float().mean() < 0.02


def test_a_row_of_zeros() -> None:
    with torch.no_grad():
        assert torch.equal(rms_norm(torch.zeros(1, 8), torch.ones(8), 1e-6), torch.zeros(1, 8))


def test_module() -> None:
    norm = RMSNorm(8, eps=1e-3)
    x = torch.randn(2, 8, requires_grad=True)
    norm(x).sum().backward()
    assert list(norm.state_dict()) == ["weight"]
    assert norm.weight.grad is not None
    assert "8, eps=0.001" in repr(norm)


@pytest.mark.parametrize("shape", [(96,), (2, 3, 96)])
def test_gradients_of_first_and_second_order(shape: tuple[int, ...]) -> None:
    make = torch.Generator().manual_seed(1)
    x, weight, seen = (torch.randn(size, generator=make) for size in (shape, (96,), shape))
    found = x.clone().requires_grad_(), weight.clone().requires_grad_()
    expected = x.double().requires_grad_(), weight.double().requires_grad_()
    for inputs, norm in ((found, rms_norm), (expected, published)):
        first = torch.autograd.grad((norm(*inputs, 1e-5) * seen).sum(), inputs, create_graph=True)
        (first[0].square().sum() + first[1].sin().sum()).backward()
        for ours in (*first, *(one.grad for one in inputs)):
            assert ours is not None
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=1e-4, rtol=1e-4)


def test_training_keeps_the_input_alone() -> None:
    kept: list[torch.Tensor] = []
    x, weight = torch.randn(4, 8, dtype=torch.bfloat16, requires_grad=True), torch.ones(8, requires_grad=True)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        rms_norm(x, weight, 1e-5)
    assert [one.data_ptr() for one in kept] == [x.data_ptr(), weight.data_ptr()]
