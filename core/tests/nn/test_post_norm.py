"""The parts of BERT-like encoders, by their formulas."""

import torch
from torch.nn import functional as F

from modelry.nn.activations import activation
from modelry.nn.post_norm import DenseActivation, DenseAddNorm, FirstTokenPooler


def test_add_and_norm() -> None:
    part = DenseAddNorm(6, 4, eps=1e-3, dropout=0.5).eval()
    x, residual = torch.randn(2, 3, 6), torch.randn(2, 3, 4)
    expected = F.layer_norm(F.linear(x, part.dense.weight, part.dense.bias) + residual, (4,), eps=1e-3)
    torch.testing.assert_close(part(x, residual), expected)
    assert not torch.equal(part.train()(x, residual), expected)
    assert {name for name, _ in part.named_parameters()} == {
        "dense.weight",
        "dense.bias",
        "LayerNorm.weight",
        "LayerNorm.bias",
    }


def test_activation_and_pooler() -> None:
    wide, pooler = DenseActivation(4, 6, act=activation("relu")), FirstTokenPooler(4)
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(wide(x), wide.dense(x).relu())
    torch.testing.assert_close(pooler(x), pooler.dense(x[:, 0]).tanh())
