"""Which parts of a model are gathered one after the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

from modelry import AutoConfig, AutoModelForSeq2SeqLM
from modelry_trainer.arguments import TrainingArguments
from modelry_trainer.distributed.options import Sharding
from modelry_trainer.distributed.pieces import is_scarce
from modelry_trainer.distributed.sizes import Sizes
from modelry_trainer.distributed.spreading import one_by_one, spread, units, wrapped
from modelry_trainer.distributed.world import Processes
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.optimizers.muon import move_whole
from modelry_trainer.seq2seq import Seq2SeqTrainingArguments


class Block(nn.Module):
    """A layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)


@pytest.fixture
def model() -> Any:
    made: Any = nn.Module()
    made.embed = nn.Embedding(8, 4)
    made.layers = nn.ModuleList([Block(), Block()])
    made.head = nn.Linear(4, 8)
    return made


def test_layers_of_lists(model: Any) -> None:
    assert units(model, Sharding()) == list(model.layers)
    assert units(model, Sharding(auto_wrap_policy="NO_WRAP")) == []


def test_named_classes_inner_ones_first(model: Any) -> None:
    named = units(model, Sharding(transformer_layer_cls_to_wrap=("Block", "Linear")))
    assert named.index(model.layers[0].inner) < named.index(model.layers[0])
    assert model.head in named
    with pytest.raises(ArgumentsError, match="has no such part: it has Block"):
        units(model, Sharding(transformer_layer_cls_to_wrap=("Layer",)))


def test_by_size(model: Any) -> None:
    large = units(model, Sharding(auto_wrap_policy="SIZE_BASED_WRAP", min_num_params=30))
    assert large == [model.embed, model.head]


def test_parts_that_are_called_otherwise_stay_with_their_layer(model: Any) -> None:
    """Parameters are gathered where forward is called."""

    class Looking(nn.Linear):
        def look(self) -> None:
            """As T5's attention does."""

    for layer in model.layers:
        layer.inner = nn.ModuleDict({"attention": Looking(4, 4), "rest": nn.Linear(4, 4)})
    by_size = Sharding(auto_wrap_policy="SIZE_BASED_WRAP", min_num_params=10)
    rest = [layer.inner["rest"] for layer in model.layers]
    assert units(model, by_size) == [model.embed, rest[0], model.layers[0], rest[1], model.layers[1], model.head]
    with pytest.raises(ArgumentsError, match=r"names the class Looking .* whose parts are called from outside"):
        units(model, Sharding(transformer_layer_cls_to_wrap=("Looking",)))


def test_a_parameter_that_two_parts_have_stays_with_the_model(model: Any) -> None:
    model.layers[1].inner.weight = model.layers[0].inner.weight
    assert units(model, Sharding()) == []


def test_parameters_of_two_dtypes_are_refused(model: Any) -> None:
    model.layers[0].inner.to(torch.bfloat16)
    with pytest.raises(ArgumentsError, match=r"bfloat16, torch.float32, and fsdp gathers"):
        units(model, Sharding())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Processes]:
    """Of this process alone, without torchrun."""
    dist.init_process_group("gloo", rank=0, world_size=1, init_method=f"file://{tmp_path / 'store'}")
    made = object.__new__(Processes)
    made.rank, made.size, made.sizes, made.device = 0, 1, Sizes(1, 1, 1), torch.device("cpu")
    made._all = dist.group.WORLD
    made.mesh = init_device_mesh("cpu", (1, 1, 1), mesh_dim_names=("dp_replicate", "dp_shard", "tp"))
    yield made
    dist.destroy_process_group()


def test_statistics_of_batches_stay_whole_in_bf16(world: Processes, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3))
    spread(model, TrainingArguments(str(tmp_path), fsdp=True, bf16=True, use_cpu=True), world)
    out = model(torch.randn(2, 3, 8, 8))
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    norm: Any = model[1]
    assert norm.running_mean.dtype == norm.weight.grad.dtype == torch.float32
    assert norm.running_mean.any()


def test_a_model_with_an_encoder_writes_while_it_is_divided(world: Processes, tmp_path: Path) -> None:
    pytest.importorskip("modelry_t5")
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2, "vocab_size": 32}
    config = AutoConfig.for_model("t5", **sizes, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    model: Any = AutoModelForSeq2SeqLM.from_config(config).eval()
    ids = torch.randint(3, 32, (2, 5))
    expected = model.generate(ids, max_new_tokens=4)
    args = Seq2SeqTrainingArguments(str(tmp_path), fsdp=True, predict_with_generate=True, use_cpu=True)
    spread(model, args, world)
    assert torch.equal(model.generate(ids, max_new_tokens=4), expected)


def test_gradients_of_copies_lie_where_they_are_summed(world: Processes, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    copies = wrapped(model, TrainingArguments(str(tmp_path), use_cpu=True), world)
    for _ in range(2):  # DDP lays its buckets anew after the first
        model.zero_grad()
        copies(torch.ones(1, 3)).sum().backward()
        assert len({one.grad.untyped_storage().data_ptr() for one in model.parameters() if one.grad is not None}) == 1


@pytest.mark.parametrize(("options", "looked_for"), [({}, True), ({"use_reentrant": True}, False)])
def test_copies_with_parts_that_no_row_needs(
    options: dict[str, Any], looked_for: bool, world: Processes, tmp_path: Path
) -> None:
    """They are looked for also where activations are recomputed, in the way that can be looked through."""
    values = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": options}
    copies: Any = wrapped(nn.Linear(3, 4), TrainingArguments(str(tmp_path), use_cpu=True, **values), world)
    assert copies.find_unused_parameters == looked_for


@pytest.mark.parametrize("nesterov", [True, False])
def test_a_matrix_of_fewer_rows_than_processes_moves_as_a_whole_one(nesterov: bool, world: Processes) -> None:
    torch.manual_seed(0)
    whole = nn.Parameter(torch.randn(3, 5))
    piece: Any = nn.Parameter(distribute_tensor(whole.detach().clone(), world.mesh["tp"], [Shard(0)]))
    group = {"lr": 0.1, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.1, "ns_steps": 5}
    optimizer, state = torch.optim.Muon([whole], **group), dict[str, Any]()  # type: ignore[arg-type]  # of one kind each
    for _ in range(3):
        whole.grad = torch.randn(3, 5)
        grad = distribute_tensor(whole.grad.clone(), world.mesh["tp"], [Shard(0)])
        optimizer.step()
        with torch.no_grad():
            move_whole(piece, grad, state, optimizer.param_groups[0])
    torch.testing.assert_close(piece.full_tensor(), whole)
    assert not is_scarce(piece)
    assert not is_scarce(whole)


def test_parameters_of_one_kind_move_together(model: Any) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
    one_by_one(optimizer)
    assert optimizer.param_groups[0]["foreach"]
