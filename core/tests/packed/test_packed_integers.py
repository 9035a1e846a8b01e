"""What others may do with a packed layer's weight, and what is refused."""

import copy

import pytest
import torch

from modelry.errors import QuantizationError
from modelry.packed import Int4Linear, Int8Linear
from modelry.packed.packed_integers import PackedIntegers


@pytest.fixture(params=["int8", "int4"])
def layer(request: pytest.FixtureRequest) -> Int8Linear | Int4Linear:
    if request.param == "int8":
        made: Int8Linear | Int4Linear = Int8Linear(32, 8, bias=None, scale_dtype=torch.float32)
        made.integers.random_(-8, 8, generator=torch.Generator().manual_seed(0))
        made.weight_scale.fill_(0.5)
    else:
        made = Int4Linear(32, 8, group_size=32, bias=None, scale_dtype=torch.float32)
        made.integers.random_(0, 255, generator=torch.Generator().manual_seed(0))
        made.weight_scale_and_zero.fill_(0.5)
    return made


def test_the_integers_can_be_read(layer: Int8Linear | Int4Linear) -> None:
    assert isinstance(layer.weight, PackedIntegers)
    assert layer.weight.data_ptr() == layer.integers.data_ptr()
    assert torch.equal(layer.weight, layer.integers)
    assert type(layer.weight.clone()) is torch.Tensor
    assert {type(tensor) for tensor in (*layer.state_dict().values(), *layer.buffers())} == {torch.Tensor}
    assert torch.equal(copy.deepcopy(layer).weight, layer.weight)


def test_nothing_is_added(layer: Int8Linear | Int4Linear) -> None:
    before, more = layer.integers.clone(), torch.ones_like(layer.integers)
    with pytest.raises(QuantizationError, match="keep the adapter beside it"):
        layer.weight.data += more
    with pytest.raises(QuantizationError, match="quantize the result"):
        layer.weight.data = more
    for add in (lambda: layer.weight + more, lambda: more.float() + layer.weight):
        with pytest.raises(QuantizationError, match="nothing can be added"):
            add()
    assert torch.equal(layer.integers, before)


def test_a_layer_without_values_has_no_weight() -> None:
    layer = Int8Linear(8, 8, bias=None)
    del layer._buffers["weight"]
    with pytest.raises(AttributeError):
        layer.weight  # noqa: B018  the access is what raises


def test_compiled_in_one_graph(layer: Int8Linear | Int4Linear) -> None:
    x = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    assert torch.equal(compiled(x), layer(x))
