"""Layers whose tensors have other packages' names."""

import torch
from torch import Tensor, nn

from modelry.packed.stored_linear import StoredLinear

TENSORS = {"weight": ((2, 3), torch.int8), "weight.scale": ((2,), torch.float32), "_zero": ((), torch.uint8)}


class Scaled(StoredLinear):
    """Integers times a scale for each row."""

    def multiply(self, x: Tensor) -> Tensor:
        return x @ self.dequantized(x.dtype).t()

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        scale = self._buffers["weight.scale"]
        assert scale is not None
        return (self.integers * scale.unsqueeze(1)).to(dtype)


def made(bias: Tensor | None = None) -> Scaled:
    layer = Scaled(3, 2, tensors=TENSORS, bias=bias)
    layer.integers.copy_(torch.tensor([[1, -2, 3], [4, 5, -6]]))
    layer._buffers["weight.scale"].copy_(torch.tensor([0.1, 0.3]))
    layer._buffers["_zero"].zero_()
    return layer


def test_names_and_values() -> None:
    layer = made()
    assert list(layer.state_dict()) == ["weight", "weight.scale", "_zero"]
    assert torch.allclose(layer(torch.ones(1, 3)), torch.tensor([[0.2, 0.9]]))


def test_a_change_of_dtype_keeps_the_bits() -> None:
    layer, before = made(bias=torch.zeros(2)), made().state_dict()
    nn.Sequential(layer).to(torch.bfloat16)
    after = layer.state_dict()
    assert list(after) == ["bias", "weight", "weight.scale", "_zero"]
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert layer.bias.dtype == torch.bfloat16
    assert nn.Sequential(layer).to("meta")[0].state_dict()["weight.scale"].is_meta


def test_load_state_dict() -> None:
    model = nn.Sequential(Scaled(3, 2, tensors=TENSORS, bias=None))
    model.load_state_dict(nn.Sequential(made()).state_dict())
    assert torch.equal(model[0].dequantized(), made().dequantized())
