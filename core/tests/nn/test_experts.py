"""Mixtures against a loop over tokens; a compiled graph against the eager one; the loss of uneven routing."""

import pytest
import torch
from torch import Tensor

from modelry.nn.activations import activation
from modelry.nn.experts import Experts, Router, SparseMLP, balancing_loss


def mixture(experts: int, chosen: int) -> SparseMLP:
    torch.manual_seed(0)
    gate = Router(experts, 8, chosen=chosen, normalised=True, spread=0.5)
    return SparseMLP(gate, Experts(experts, 8, 12, act=activation("silu"), spread=0.5))


def by_token(mlp: SparseMLP, x: Tensor) -> Tensor:
    experts = mlp.experts
    out = torch.zeros_like(x)
    for number, token in enumerate(x):
        shares = (mlp.gate.weight @ token).softmax(-1)
        best = shares.topk(mlp.gate.chosen)
        for share, expert in zip(best.values / best.values.sum(), best.indices, strict=True):
            opened = activation("silu")(experts.gate_proj[expert] @ token) * (experts.up_proj[expert] @ token)
            out[number] += share * (experts.down_proj[expert] @ opened)
    return out


@pytest.mark.parametrize(("experts", "chosen"), [(4, 2), (7, 1), (3, 3), (32, 2)])
@pytest.mark.parametrize("tokens", [1, 9])
def test_against_a_loop_over_tokens(experts: int, chosen: int, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mlp, x = mixture(experts, chosen), torch.randn(tokens, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = by_token(mlp, x)
        torch.testing.assert_close(mlp(x[None])[0], expected, atol=1e-5, rtol=1e-5)
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        torch.testing.assert_close(mlp(x[None])[0], expected, atol=1e-5, rtol=1e-5)


def test_only_chosen_experts_run() -> None:
    mlp = mixture(16, 2)
    with torch.no_grad():
        mlp.experts.down_proj.fill_(float("nan"))
        _, chosen, _ = mlp.gate(torch.ones(1, 8))
        mlp.experts.down_proj[chosen] = 1.0
        assert torch.isfinite(mlp(torch.ones(1, 5, 8))).all()


def test_gradients_reach_chosen_experts() -> None:
    mlp = mixture(4, 2)
    mlp(torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(2))).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in mlp.parameters())


def test_even_routing_costs_least() -> None:
    even = [torch.eye(4).repeat(3, 1) * 20]
    uneven = [torch.tensor([[20.0, 0, 0, 0]]).repeat(12, 1)]
    assert balancing_loss(even, chosen=1).item() == pytest.approx(1.0, abs=1e-4)
    assert balancing_loss(uneven, chosen=1).item() == pytest.approx(4.0, abs=1e-4)
    mask = torch.tensor([[1] * 4 + [0] * 8])
    half = [torch.cat((even[0][:4], uneven[0][:8]))]
    assert balancing_loss(half, chosen=1, attention_mask=mask).item() == pytest.approx(1.0, abs=1e-4)
