"""The packed layer is a linear layer with the weight its integers stand for, for every dtype, layout and row count."""

from collections.abc import Callable

import pytest
import torch

from modelry.packed.int4_layouts import CpuLayout, FileLayout
from modelry.packed.int4_linear import Int4Linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1), (3,), (2, 6), (5, 9), (), (0,)])
@pytest.mark.parametrize(("outputs", "layout"), [(128, CpuLayout), (20, FileLayout)])
def test_product(
    dtype: torch.dtype,
    shape: tuple[int, ...],
    outputs: int,
    layout: type,
    int4_layer: Callable[..., Int4Linear],
    check_product: Callable[..., None],
) -> None:
    layer = int4_layer(outputs)
    assert isinstance(layer.layout, layout)
    check_product(layer, torch.randn(*shape, 96).to(dtype), layer.dequantized())


@pytest.mark.parametrize("group", [32, 64, 128, 256])
@pytest.mark.parametrize("rows", [2, 40])
def test_every_group_size(group: int, rows: int, int4_layer: Callable[..., Int4Linear]) -> None:
    layer = int4_layer(64, 512, group=group, bias=False)
    x = torch.randn(rows, 512)
    assert torch.allclose(layer(x), x @ layer.dequantized().t(), rtol=1e-4, atol=1e-3)


def test_state_dict_is_the_same_in_every_layout(int4_layer: Callable[..., Int4Linear]) -> None:
    laid = int4_layer()
    plain = Int4Linear(96, 128, group_size=32, bias=torch.empty(128))
    assert isinstance(plain.layout, FileLayout)
    plain.load_state_dict(laid.state_dict())
    assert isinstance(plain.layout, CpuLayout)
    assert torch.equal(plain.weight, laid.weight)
    x = torch.randn(3, 96)
    assert torch.equal(plain(x), laid(x))
