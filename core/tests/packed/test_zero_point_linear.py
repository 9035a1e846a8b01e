"""The layer is a linear layer with the weight its file stands for: every dtype, row count, group and order."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from modelry.errors import QuantizationError
from modelry.packed.int4_layouts import CpuLayout, FileLayout
from modelry.packed.zero_point_linear import ZeroPointLinear

TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}


@pytest.fixture
def make(plain_form: Callable) -> Callable[..., ZeroPointLinear]:
    def layer(
        outputs: int = 64,
        inputs: int = 128,
        *,
        bits: int = 4,
        group: int = 32,
        ordered: bool = False,
        left_out: tuple[str, ...] = (),
    ) -> ZeroPointLinear:
        generator = torch.Generator().manual_seed(0)
        groups, form = inputs // group, plain_form(bits)
        tensors = form.tensors(inputs=inputs, outputs=outputs, groups=groups)
        kept = {name: one for name, one in tensors.items() if name not in left_out}
        made = ZeroPointLinear(
            inputs, outputs, form=form, tensors=kept, group_size=group, bias=torch.empty(outputs), dtype=torch.float32
        )
        places = torch.randperm(inputs, generator=generator) if ordered else torch.arange(inputs)
        stored = {
            "qweight": torch.randint(2**bits, (outputs, inputs), generator=generator).to(torch.uint8),
            "qzeros": torch.randint(2**bits, (groups, outputs), generator=generator).to(torch.uint8),
            "scales": torch.rand(groups, outputs, generator=generator).half() / 2**bits,
            "g_idx": (places // group).int(),
            "bias": torch.randn(outputs, generator=generator),
        }
        made.load_state_dict({name: one for name, one in stored.items() if name not in left_out})
        made.requires_grad_(False)
        return made

    return layer


def expected_weight(layer: ZeroPointLinear) -> torch.Tensor:
    """Written out element by element."""
    stored = layer.state_dict()
    weight = torch.empty(layer.out_features, layer.in_features)
    for row in range(layer.out_features):
        for column in range(layer.in_features):
            group = int(stored["g_idx"][column])
            whole = int(stored["qweight"][row, column]) - int(stored["qzeros"][group, row])
            weight[row, column] = whole * stored["scales"][group, row].float()
    return weight


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("group", [32, 64, 128])
def test_stands_for(make: Callable, bits: int, ordered: bool, group: int) -> None:
    layer = make(16, bits=bits, ordered=ordered, group=group)
    assert (layer.order is not None) == (ordered and group < 128)
    assert torch.equal(layer.dequantized(), expected_weight(layer))


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("shape", [(1, 1), (3,), (5, 9), (0,)])
@pytest.mark.parametrize(("outputs", "layout"), [(64, CpuLayout), (24, FileLayout)])
def test_product(
    make: Callable, dtype: torch.dtype, bits: int, shape: tuple[int, ...], outputs: int, layout: type
) -> None:
    layer = make(outputs, bits=bits, ordered=True)
    assert isinstance(layer.layout, layout)
    x = torch.randn(*shape, 128, generator=torch.Generator().manual_seed(1)).to(dtype)
    y, expected = layer(x), F.linear(x.float(), layer.dequantized(), layer.bias)
    assert (y.dtype, y.shape) == (dtype, expected.shape)
    if y.numel():
        assert (y.float() - expected).norm() / expected.norm() < TOLERANCE[dtype]


@pytest.mark.parametrize("bits", [4, 8])
def test_the_input_gets_its_gradient(make: Callable, bits: int) -> None:
    layer = make(bits=bits, ordered=True)
    x = torch.randn(4, 128, requires_grad=True, generator=torch.Generator().manual_seed(1))
    again = x.detach().clone().requires_grad_()
    layer(x).square().sum().backward()
    F.linear(again, layer.dequantized(), layer.bias).square().sum().backward()
    assert torch.allclose(x.grad, again.grad, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_cast_keeps_the_files_bits_and_prepares_for_the_dtype(make: Callable, bits: int) -> None:
    layer = make(bits=bits, ordered=True)
    cast = copy.deepcopy(layer).to(torch.bfloat16)
    assert (cast.bias.dtype, cast.scale_and_zero.dtype) == (torch.bfloat16, torch.bfloat16)
    ours, theirs = layer.state_dict(), cast.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if name != "bias")
    back = cast.float()
    assert torch.equal(back.scale_and_zero, layer.scale_and_zero)
    assert torch.equal(back.integers, layer.integers)


def test_state_dict_is_the_files(make: Callable) -> None:
    layer = make(ordered=True)
    assert sorted(layer.state_dict()) == ["bias", "g_idx", "qweight", "qzeros", "scales"]
    assert not hasattr(layer, "qweight")
    other = make(ordered=False)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    assert torch.equal(other(x), layer(x))
    with pytest.raises(RuntimeError, match="qweight"):
        other.load_state_dict({name: one for name, one in layer.state_dict().items() if name != "qweight"})
    assert torch.equal(other(x), layer(x))


@pytest.mark.parametrize("bits", [4, 8])
def test_without_zero_points_they_are_the_middle(make: Callable, bits: int) -> None:
    layer, other = make(bits=bits), make(bits=bits, left_out=("qzeros", "g_idx"))
    middle = torch.full((4, 64), 2 ** (bits - 1), dtype=torch.uint8)
    layer.load_state_dict({**layer.state_dict(), "qzeros": middle})
    assert torch.equal(other.dequantized(), layer.dequantized())
    assert sorted(other.state_dict()) == ["bias", "qweight", "scales"]


@pytest.mark.parametrize(
    ("place", "group", "said"),
    [(0, 7, "names groups 0 to 7, where 128 inputs in groups of 32 have 4"), (0, -1, "-1 to 3"), (0, 3, "31 inputs")],
)
def test_groups_that_cannot_be(make: Callable, place: int, group: int, said: str) -> None:
    layer = make()
    stored = layer.state_dict()
    stored["g_idx"] = stored["g_idx"].clone()
    stored["g_idx"][place] = group
    with pytest.raises(QuantizationError, match=said):
        layer.load_state_dict(stored)


def test_training_integers_is_refused(make: Callable) -> None:
    with pytest.raises(QuantizationError, match="Train an adapter"):
        make().requires_grad_()
    assert "4 bits in groups of 32, inputs reordered, not trainable" in repr(make(ordered=True))


@pytest.mark.parametrize("bits", [4, 8])
def test_laid_together(make: Callable, bits: int) -> None:
    layers = [make(outputs, bits=bits, ordered=True) for outputs in (64, 128)]
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    apart = torch.cat([layer(x) for layer in layers], dim=-1)
    stored = [layer.state_dict() for layer in layers]
    whole = layers[0].joined(layers)
    assert torch.equal(whole(x), apart)
    for layer, before in zip(layers, stored, strict=True):
        assert all(torch.equal(one, before[name]) for name, one in layer.state_dict().items())
    assert layers[0].joined([layers[0], make(bits=bits)]) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("bits", [4, 8])
def test_on_a_gpu(make: Callable, bits: int) -> None:
    layer = make(bits=bits, ordered=True)
    moved = copy.deepcopy(layer).to("cuda", torch.bfloat16)
    assert torch.equal(moved.dequantized().cpu(), layer.dequantized())
    x = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    expected = layer(x)
    assert (moved(x.to("cuda", torch.bfloat16)).float().cpu() - expected).norm() / expected.norm() < 0.02
