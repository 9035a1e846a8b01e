"""One row, many rows, and several layers in one product."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize

from modelry.nn.fuse import fuse_projections
from modelry.nn.linear import Linear, linear, project, project_jointly, weight_leads
from modelry.packed import Int4Linear, Int8Linear, PackedLinear
from modelry.packed.int4_packing import pack_groups
from modelry.packed.int8_packing import pack_rows


class Block(nn.Module):
    def __init__(self, *, bias: bool = False) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = (
            Linear(6, 8, bias=bias),
            Linear(6, 4, bias=bias),
            Linear(6, 4, bias=bias),
        )

    @property
    def layers(self) -> tuple[Linear, Linear, Linear]:
        return self.q_proj, self.k_proj, self.v_proj


def agree(block: Block, x: torch.Tensor) -> None:
    for found, layer in zip(project(x, *block.layers), block.layers, strict=True):
        torch.testing.assert_close(found, F.linear(x, layer.weight, layer.bias))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(64,), (1, 1, 64), (2, 3, 64)])
def test_linear(shape: tuple[int, ...], bias: bool, dtype: torch.dtype) -> None:
    layer = Linear(64, 16, bias=bias, dtype=dtype)
    x = torch.randn(shape, dtype=dtype)
    found, expected = layer(x), F.linear(x, layer.weight, layer.bias)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(5, 64), (2, 1, 64), (1, 16, 64)])
def test_the_weight_leads(shape: tuple[int, ...], bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU with AMX: few bfloat16 rows."""
    layer, x = Linear(64, 24, bias=bias, dtype=torch.bfloat16), torch.randn(shape, dtype=torch.bfloat16)
    monkeypatch.setattr("modelry.nn.linear.has_tiles", lambda: True)
    assert weight_leads(x, layer.weight)
    found, expected = layer(x), copy.deepcopy(layer).float()(x.float())
    assert found.is_contiguous()
    torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=2e-2)
    found.sum().backward()
    assert layer.weight.grad is not None
    assert not weight_leads(torch.randn(17, 64, dtype=torch.bfloat16), layer.weight)
    assert not weight_leads(x.float(), layer.weight)


def test_another_dtype_is_torch_s_business() -> None:
    with pytest.raises(RuntimeError, match="dtype"):
        linear(torch.randn(1, 4), torch.randn(2, 4, dtype=torch.bfloat16), None)


@pytest.mark.parametrize("bias", [False, True])
def test_together(bias: bool) -> None:
    block, x = Block(bias=bias), torch.randn(2, 3, 6)
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    assert fuse_projections(block) == 1
    assert fuse_projections(block) == 1
    assert block.state_dict().keys() == before.keys()
    assert all(torch.equal(block.state_dict()[name], tensor) for name, tensor in before.items())
    assert block.q_proj.joint is not None
    with torch.no_grad():
        assert project_jointly(x, block.layers) is not None
        agree(block, x)
        block.k_proj.weight.mul_(2)  # training in place reaches the joint tensor
        assert project_jointly(x, block.layers) is not None
        agree(block, x)


def test_together_where_one_has_no_bias() -> None:
    block, x = Block(bias=True), torch.randn(2, 3, 6)
    block.k_proj = Linear(6, 4, bias=False)
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    assert fuse_projections(block) == 1
    assert all(torch.equal(block.state_dict()[name], tensor) for name, tensor in before.items())
    with torch.no_grad():
        assert project_jointly(x, block.layers) is not None
        agree(block, x)
        block.v_proj.bias.add_(1)  # training in place reaches the joint tensor
        agree(block, x)


def test_gradients_take_it_apart() -> None:
    block = Block(bias=True)
    fuse_projections(block)
    sum(part.sum() for part in project(torch.randn(2, 3, 6), *block.layers)).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is not None for parameter in block.parameters())


def replaced(block: Block) -> None:
    block.k_proj.weight = nn.Parameter(torch.randn(4, 6))


def given_other_data(block: Block) -> None:
    block.v_proj.weight.data = torch.randn(4, 6)


def given_another_bias(block: Block) -> None:
    block.v_proj.bias = nn.Parameter(torch.randn(4))


def swapped(block: Block) -> None:
    block.v_proj = Linear(6, 4)


def cast(block: Block) -> None:
    block.double()


def hooked(block: Block) -> None:
    block.k_proj.register_forward_hook(lambda module, inputs, out: out)


def given_a_bias(block: Block) -> None:
    block.k_proj.bias = nn.Parameter(torch.randn(4))


def patched(block: Block) -> None:
    block.v_proj.forward = block.v_proj.forward  # type: ignore[method-assign]


class Negative(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return -weight


def parametrized(block: Block) -> None:
    parametrize.register_parametrization(block.v_proj, "weight", Negative())


CHANGES = [replaced, given_other_data, given_another_bias, given_a_bias, swapped, cast, hooked, patched, parametrized]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(change: object) -> None:
    block = Block(bias=change is not given_a_bias)
    fuse_projections(block)
    change(block)  # type: ignore[operator]
    x = torch.randn(1, 1, 6, dtype=block.q_proj.weight.dtype)
    with torch.no_grad():
        assert project_jointly(x, block.layers) is None
        agree(block, x)


def test_hooks_of_all_modules_are_called() -> None:
    block, x, called = Block(), torch.randn(1, 1, 6), []
    fuse_projections(block)
    handle = register_module_forward_hook(lambda module, inputs, out: called.append(module))
    with handle, torch.no_grad():
        project(x, *block.layers)
    assert called == list(block.layers)


def test_laid_together_in_inference_mode() -> None:
    """And trained afterwards."""
    block, x = Block(), torch.randn(1, 1, 6)
    with torch.inference_mode():
        assert fuse_projections(block) == 1
    agree(block, x)
    project(x, *block.layers)[1].sum().backward()
    assert block.k_proj.weight.grad is not None


@torch.inference_mode()
def test_made_and_laid_together_in_inference_mode() -> None:
    block, x = Block(), torch.randn(1, 1, 6)
    assert fuse_projections(block) == 1
    agree(block, x)
    assert block.k_proj(x).shape == (1, 1, block.k_proj.out_features)


def test_programs_that_stay_read_each_weight() -> None:
    """Of torch.compile and torch.export, which do not ask whether weights still lie together."""
    block, x = Block(), torch.randn(1, 1, 6)
    fuse_projections(block)
    with torch.no_grad():
        run = torch.compile(lambda x: project(x, *block.layers), backend="eager", fullgraph=True)
        run(x)
        given_other_data(block)
        for found, layer in zip(run(x), block.layers, strict=True):
            torch.testing.assert_close(found, layer(x))


def test_a_copy_stands_alone() -> None:
    block, x = Block(), torch.randn(1, 1, 6)
    fuse_projections(block)
    assert pickle.loads(pickle.dumps(block)).q_proj.joint is None
    twin = copy.deepcopy(block)
    assert twin.q_proj.joint is None
    with torch.no_grad():
        twin.q_proj.weight.zero_()
        agree(twin, x)
        agree(block, x)
        assert not project(x, *twin.layers)[0].any()


def test_what_is_left_alone() -> None:
    tied = Block()
    tied.v_proj.weight = tied.k_proj.weight
    hooked_block = Block()
    hooked(hooked_block)
    patched_block = Block()
    patched(patched_block)
    mixed = Block()
    mixed.v_proj = Linear(6, 4, dtype=torch.bfloat16)
    other = Block()
    other.v_proj = nn.Linear(6, 4)  # type: ignore[assignment]
    with torch.device("meta"):
        meta = Block()
    for block in (tied, hooked_block, patched_block, mixed, other, meta):
        assert fuse_projections(block) == 0


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kind", "outputs"), [("int8", (20, 4)), ("int4", (128, 64)), ("int4", (20, 12))])
def test_packed_layers_together(kind: str, outputs: tuple[int, int], bias: bool) -> None:
    def layer(rows: int) -> PackedLinear:
        weight = torch.randn(rows, 64)
        made: PackedLinear
        if kind == "int8":
            made = Int8Linear(64, rows, bias=torch.empty(rows) if bias else None)
            made._buffers.update(zip(("weight", "weight_scale"), pack_rows(weight), strict=True))
        else:
            made = Int4Linear(64, rows, group_size=32, bias=torch.empty(rows) if bias else None)
            packed = pack_groups(weight, group_size=32)
            made._buffers.update(zip(("weight", "weight_scale_and_zero"), packed, strict=True))
            made.lay_out()
        if bias:
            nn.init.normal_(made.bias)
        return made

    block = nn.Module()
    block.gate_proj, block.up_proj = layer(outputs[0]), layer(outputs[1])
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    xs = [torch.randn(rows, 64) for rows in (1, 5, 40)]
    with torch.no_grad():
        apart = [(block.gate_proj(x), block.up_proj(x)) for x in xs]
        assert fuse_projections(block) == 1
        for x, expected in zip(xs, apart, strict=True):
            together = project(x, block.gate_proj, block.up_proj)
            assert project_jointly(x, (block.gate_proj, block.up_proj)) is not None
            for found, alone in zip(together, expected, strict=True):
                torch.testing.assert_close(found, alone)
            torch.testing.assert_close(block.up_proj(x), expected[1])
    assert all(torch.equal(block.state_dict()[name], tensor) for name, tensor in before.items())
    block.to(torch.float64)
    assert block.gate_proj.joint is None


def test_packed_differently_stays_apart() -> None:
    block = nn.Module()
    block.gate_proj = Int4Linear(64, 64, group_size=32, bias=None)
    block.up_proj = Int4Linear(64, 64, group_size=64, bias=None)
    assert fuse_projections(block) == 0
    block.up_proj = Int8Linear(64, 64, bias=None)
    assert fuse_projections(block) == 0


def test_autocast_rounds_an_input_once() -> None:
    layers = [Linear(8, 8, bias=False) for _ in range(3)]
    x = torch.randn(2, 3, 8, requires_grad=True) * 2  # of a parameter torch itself would remember it
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autocast("cpu", torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        found = project(x, *layers)
        expected = [layer(x) for layer in layers]
    assert all(one.equal(other) for one, other in zip(found, expected, strict=True))
    inputs = [one for one in kept.values() if one.shape[-2:] == (6, 8) or one.shape[-2:] == (3, 8)]
    assert len(inputs) == 1 + len(layers), "one for all, and one for each layer that was called alone"


@pytest.mark.parametrize("bias", [False, True])
def test_one_bfloat16_row_is_not_written_anew_by_a_compiler(bias: bool) -> None:
    called: list[object] = []

    def traced(graph: torch.fx.GraphModule, inputs: object) -> object:
        called.extend(node.target for node in graph.graph.nodes)
        return graph.forward

    layer, x = Linear(16, 8, bias=bias).bfloat16(), torch.randn(1, 1, 16).bfloat16()
    with torch.no_grad():
        found = torch.compile(layer, backend=traced)(x)
        torch.testing.assert_close(found, layer(x), atol=2e-2, rtol=2e-2)
    assert torch.ops.modelry.row_product.default in called
    assert torch.mv not in called
