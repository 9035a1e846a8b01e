"""Eight bits in groups, computed as two 4-bit halves, are the weight their integers stand for."""

import copy
from collections.abc import Callable

import pytest
import torch

from modelry.errors import QuantizationError
from modelry.packed import GroupedInt8Linear
from modelry.packed.int4_layouts import CpuLayout, FileLayout


def packed(
    outputs: int = 128, inputs: int = 96, *, scale_dtype: torch.dtype = torch.bfloat16
) -> tuple[GroupedInt8Linear, torch.Tensor]:
    """A layer and its float weight, whose scales every dtype has."""
    torch.manual_seed(0)
    layer = GroupedInt8Linear(inputs, outputs, group_size=32, bias=None, scale_dtype=scale_dtype)
    integers = torch.randint(-128, 128, (outputs, inputs), dtype=torch.int8)
    scale = (torch.rand(inputs // 32, outputs) + 0.1).bfloat16().float()
    layer.load_state_dict({"weight": integers, "weight_scale": scale})
    return layer, integers * scale.t().repeat_interleave(32, dim=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (3,), (2, 6), (5, 9), (), (0,)])
@pytest.mark.parametrize(
    ("outputs", "layout", "scale_dtype"),
    [(128, CpuLayout, torch.bfloat16), (20, FileLayout, torch.bfloat16), (128, FileLayout, torch.float32)],
)
def test_product(
    dtype: torch.dtype,
    shape: tuple[int, ...],
    outputs: int,
    layout: type,
    scale_dtype: torch.dtype,
    check_product: Callable[..., None],
) -> None:
    layer, weight = packed(outputs, scale_dtype=scale_dtype)
    assert isinstance(layer.layout, layout)
    check_product(layer, torch.randn(*shape, 96).to(dtype), weight)


@pytest.mark.parametrize("outputs", [128, 20])
def test_the_weight_is_exact_and_keeps_its_bits(outputs: int) -> None:
    layer, weight = packed(outputs)
    assert torch.equal(layer.dequantized(), weight)
    state = copy.deepcopy(layer).bfloat16().state_dict()
    assert all(
        torch.equal(state[name], one) and state[name].dtype == one.dtype
        for name, one in packed(outputs)[0].state_dict().items()
    )
    again = GroupedInt8Linear(96, outputs, group_size=32, bias=None)
    again.load_state_dict(state)
    assert torch.equal(again.dequantized(), weight)


def test_every_integer() -> None:
    layer = GroupedInt8Linear(256, 64, group_size=32, bias=None)
    integers = torch.arange(-128, 128, dtype=torch.int8).repeat(64, 1)
    layer.load_state_dict({"weight": integers, "weight_scale": torch.ones(8, 64)})
    assert torch.equal(layer.dequantized(), integers.float())
    assert torch.equal(layer.packed(), integers)


def test_inputs_get_gradients_and_weights_do_not() -> None:
    layer, weight = packed()
    x = torch.randn(4, 96, requires_grad=True)
    layer(x).sum().backward()
    assert torch.allclose(x.grad, weight.sum(0).expand(4, -1), rtol=1e-4, atol=1e-3)
    with pytest.raises(QuantizationError, match="cannot be trained"):
        layer.requires_grad_()
    assert "int8 in groups of 32" in repr(layer)


def test_layers_of_one_input_are_laid_together() -> None:
    one, _ = packed(64)
    other, _ = packed(128)
    x = torch.randn(2, 96).bfloat16()
    expected = torch.cat([one(x), other(x)], dim=-1)
    whole = one.joined([one, other])
    assert whole is not None
    assert torch.equal(whole(x), expected)
    assert torch.equal(torch.cat([one(x), other(x)], dim=-1), expected)
    alone, _ = packed(64, scale_dtype=torch.float32)
    assert alone.joined([alone, alone]) is None
