"""The arithmetic of memory and traffic against what the trainer's code allocates, keeps and sends."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode

from modelry.errors import ParallelError
from modelry_trainer.scale.activations import kept
from modelry_trainer.scale.command import scale
from modelry_trainer.scale.table import as_text, rows, ways_for, without_weights
from modelry_trainer.scale.ways import Way

PAGE = runpy.run_path(str(Path(__file__).resolve().parents[5] / "scripts" / "scale.py"), run_name="page")
LLAMA = {"num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 512, "num_hidden_layers": 2}
MIXTURE = {"moe_intermediate_size": 96, "num_experts": 16, "num_experts_per_tok": 4, "head_dim": 32}
FAMILIES = {
    "llama": {**LLAMA, "hidden_size": 256, "intermediate_size": 768},
    "qwen3": {**LLAMA, "hidden_size": 256, "intermediate_size": 768, "head_dim": 32},
    "qwen3_moe": {**LLAMA, **MIXTURE, "hidden_size": 256, "norm_topk_prob": True},
}


def test_the_page_is_current() -> None:
    assert PAGE["main"](["--check"]) == 0, "docs/scale.md is old: python scripts/scale.py"


@pytest.mark.parametrize("name", PAGE["MODELS"])
def test_weights_gradients_and_moments_to_the_byte(
    name: str, divide: Callable[..., Any], decoder: Callable[..., Any]
) -> None:
    family, values = PAGE["MODELS"][name]
    model_class, config = decoder(family, **values)
    ways = [way for way in PAGE["WAYS"][name] if way.shard > 1]
    for way in (ways[0], ways[-1]):
        model = without_weights(config, model_class)
        (row,) = rows(model, [way])
        with divide(model, way):
            own = [one.to_local() if isinstance(one, DTensor) else one for one in model.parameters()]
        assert sum(one.nbytes for one in own) == row.memory.weights == row.memory.gradients, way.name
        assert _moments(own) == row.memory.optimizer
    assert ways[0].tensor == 1 < ways[-1].tensor


def _moments(weights: list[Tensor]) -> int:
    """Bytes that AdamW remembers of them."""
    parameters = [torch.nn.Parameter(one.detach()) for one in weights]
    for one in parameters:
        one.grad = torch.empty_like(one)
    optimizer = torch.optim.AdamW(parameters, foreach=False)
    optimizer.step()
    states = [value for state in optimizer.state.values() for value in state.values()]
    return sum(value.nbytes for value in states if value.dim())


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_layer_keeps_of_a_token(family: str, decoder: Callable[..., Any]) -> None:
    model_class, config = decoder(family, **FAMILIES[family])
    of_token = kept(config, Way(shard=2))
    assert of_token is not None
    one, two = (
        _kept_by(model_class(config.model_copy(update={"num_hidden_layers": layers})), tokens=128) for layers in (1, 2)
    )
    assert two - one == 128 * of_token.layer


def _kept_by(model: Any, *, tokens: int) -> int:
    """Bytes of all storages that are not weights."""
    model = model.bfloat16().train()
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    held: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        held.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    ids = torch.arange(tokens).view(1, -1) % 500
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        model(ids, use_cache=False)
    return sum(one.untyped_storage().nbytes() for place, one in held.items() if place not in weights)


class _Sent(TorchDispatchMode):
    """Adds up what rings send for the operations of torch.distributed."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: dict[str, float] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if name.startswith("c10d."):
            group = next(one for one in args if isinstance(one, torch.ScriptObject))
            size = torch.distributed.ProcessGroup.unbox(group).size()
            if "allreduce" in name:
                (tensor,) = args[0]
                self._add("sum", 2 * tensor.nbytes, size)
            elif "allgather_base" in name or "reduce_scatter_base" in name:
                self._add(name.split(".")[1], max(args[0].nbytes, args[1].nbytes), size)
            elif "allgather" in name:
                self._add("scores", sum(one.nbytes for one in args[0][0]), size)
        return func(*args, **(kwargs or {}))

    def _add(self, what: str, sent: int, size: int) -> None:
        self.bytes[what] = self.bytes.get(what, 0.0) + sent * (size - 1) / size


@pytest.mark.parametrize("recompute", [True, False])
@pytest.mark.parametrize(
    "way",
    [
        Way(shard=4, tokens=16),
        Way(shard=2, replicate=2, tokens=16),
        Way(shard=2, tensor=2, tokens=16),
        Way(shard=2, tensor=4, tokens=16),
    ],
    ids=lambda way: way.name,
)
def test_what_a_step_sends(way: Way, recompute: bool, divide: Callable[..., Any], decoder: Callable[..., Any]) -> None:
    way = Way(way.replicate, way.shard, way.tensor, recompute, tokens=way.tokens)
    model_class, config = decoder("llama", **{**FAMILIES["llama"], "num_key_value_heads": 4, "num_hidden_layers": 3})
    (row,) = rows(without_weights(config, model_class), [way])
    model = model_class(config).train()
    if recompute:
        model.gradient_checkpointing_enable()
    ids = torch.arange(way.tokens).view(1, -1)
    with divide(model, way) as divided, _Sent() as sent:
        divided(ids, labels=ids, use_cache=False).loss.backward()
    assert sent.bytes.get("_allgather_base_", 0) == row.traffic.gather
    assert sent.bytes.get("_reduce_scatter_base_", 0) == row.traffic.scatter
    sums = sent.bytes.get("sum", 0) + sent.bytes.get("scores", 0)
    assert sums == row.traffic.copies + row.traffic.tensor


class _Scores(TorchDispatchMode):
    """What is there of scores when their gradient is made, beside the scores themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if "_log_softmax_backward" in str(func):
            self.bytes.append(sum(one.nbytes for one in (*args[:2], made)))
        return made


@pytest.mark.parametrize("tensor", [1, 2])
def test_what_scores_take(tensor: int, divide: Callable[..., Any], decoder: Callable[..., Any]) -> None:
    """A vocabulary that is large beside the layers."""
    way = Way(shard=2, tensor=tensor, tokens=16)
    model_class, config = decoder("llama", **{**FAMILIES["llama"], "vocab_size": 32000})
    (row,) = rows(without_weights(config, model_class), [way])
    smaller = config.model_copy(update={"vocab_size": 2})
    (without,) = rows(without_weights(smaller, model_class), [way])
    model = model_class(config).bfloat16().train()
    ids = torch.arange(way.tokens).view(1, -1)
    with divide(model, way) as divided, _Scores() as seen:
        out = divided(ids, labels=ids, use_cache=False, skip_logits=True)
        out.loss.backward()
    assert row.memory.activations is not None
    assert without.memory.activations is not None
    of_token = kept(config, way)
    assert of_token is not None
    if tensor == 1:
        assert seen.bytes == []
        assert row.memory.activations == without.memory.activations
    else:
        whole = seen.bytes[0] + out.logits.nbytes
        assert row.memory.activations == without.memory.activations + whole - way.tokens * of_token.layer


def test_ways_for_so_many_devices(decoder: Callable[..., Any]) -> None:
    model_class, config = decoder("llama", **FAMILIES["llama"])
    model = without_weights(config, model_class)
    names = [way.name for way in ways_for(model, 12, tensor=None, recompute=True, tokens=10)]
    assert names[:3] == ["DDP 12", "FSDP 12", "FSDP 12, CPU offload"]
    assert "FSDP 3, TP 4" in names
    assert not any("TP 3" in name or "TP 6" in name for name in names), "8 heads are not shared by 3 or 6"
    assert [way.name for way in ways_for(model, 1, tensor=None, recompute=False, tokens=1)] == [
        "one device, activations kept"
    ]
    with pytest.raises(ParallelError, match="3 processes"):
        ways_for(model, 12, tensor=3, recompute=True, tokens=10)
    with pytest.raises(ParallelError, match="5 processes for each layer do not divide 12"):
        ways_for(model, 12, tensor=5, recompute=True, tokens=10)
    text = as_text(rows(model, ways_for(model, 2, tensor=None, recompute=True, tokens=10)))
    assert len({len(line) for line in text.splitlines()}) == 1


def test_command(decoder: Callable[..., Any], tmp_path: Path) -> None:
    _, config = decoder("llama", **FAMILIES["llama"])
    config.save_pretrained(tmp_path)
    found = CliRunner().invoke(scale, [str(tmp_path), "--devices", "8", "--tensor", "2", "--tokens", "64", "--json"])
    assert found.exit_code == 0, found.output
    values = json.loads(found.output)
    assert [one["way"] for one in values] == ["DDP 4, TP 2", "FSDP 4, TP 2", "FSDP 4, TP 2, CPU offload"]
    assert values[2]["memory"]["elsewhere"] > 0
    refused = CliRunner().invoke(scale, [str(tmp_path), "--devices", "8", "--tensor", "3"])
    assert refused.exit_code == 1
    assert "3 processes" in refused.output
