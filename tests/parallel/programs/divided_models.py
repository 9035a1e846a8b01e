"""Models divided over several processes, each beside the same one whole; the first process tells.

The processes are made by fork, when everything is imported: torchrun's would import it once each.
"""

import copy
import json
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode
from trials import Trial, near

from modelry import AutoModelForCausalLM, PreTrainedModel
from modelry.checkpoint.shards import Checkpoint
from modelry.errors import ParallelError
from modelry.inference import prepared_step
from modelry.parallel import parallelize, plan_of
from modelry_testing.models.training import loss_of

FAMILIES = {
    2: {
        "llama": "causal-lm",
        "qwen3": "causal-lm",
        "qwen3_moe": "causal-lm",
        "mixtral": "causal-lm",
        "gpt2": "causal-lm",
        "bert": "masked-lm",
        "t5": "seq2seq-lm",
        "bart": "seq2seq-lm",
        "whisper": "speech-seq2seq",
        "vit": "image-classification",
        "clip": "base",
        "llava": "image-text-to-text",
        "qwen2_vl": "image-text-to-text",
        "trocr": "causal-lm",
    },
    4: {"llama": "causal-lm", "mixtral": "causal-lm", "gpt2": "causal-lm", "t5": "seq2seq-lm"},
}
"""Number of processes to families and the heads that are tried."""


class BytesRead(TorchDispatchMode):
    """Counts the bytes of mapped tensors that operations read; views read none."""

    def __init__(self) -> None:
        super().__init__()
        self.mapped: set[int] = set()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in args:
            if isinstance(one, Tensor) and type(one) is Tensor and one.untyped_storage().data_ptr() in self.mapped:
                results = out if isinstance(out, list | tuple) else [out]
                view = all(same_memory(one, each) for each in results if isinstance(each, Tensor))
                self.count += 0 if view or func is torch.ops.aten.new_empty.default else one.nbytes
        return out


def same_memory(one: Tensor, other: Tensor) -> bool:
    return type(other) is Tensor and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def reading(trial: Trial, dtype: str) -> None:
    """Of a checkpoint a process reads what it holds, and no byte more."""
    real, reads = Checkpoint.read, BytesRead()

    def read(self: Checkpoint, name: str) -> Tensor:
        tensor = real(self, name)
        reads.mapped.add(tensor.untyped_storage().data_ptr())
        return tensor

    Checkpoint.read = read
    try:
        with reads:
            model = type(trial.whole).from_pretrained(trial.saved, tp_plan="auto", device_mesh=trial.mesh, dtype=dtype)
    finally:
        Checkpoint.read = real
    local = [one.to_local() for one in model.parameters()]
    mapped = sum(one.nbytes for one in local if one.untyped_storage().data_ptr() in reads.mapped)
    held = 4 * sum(one.numel() for one in local)  # stored in float32
    assert 0 < reads.count + mapped <= held, f"{reads.count:,} bytes read and {mapped:,} mapped, of {held:,} held"


def fused_experts(trial: Trial, folder: Path) -> None:
    """Experts that a file keeps in one, two layers in each tensor, are divided like those kept apart."""
    from safetensors.torch import load_file, save_file

    if dist.get_rank() == 0:
        stored = load_file(trial.saved / "model.safetensors")
        for layer in range(trial.whole.config.num_hidden_layers):
            inside = f"model.layers.{layer}"
            names = {
                name: [f"{inside}.block_sparse_moe.experts.{e}.{name}.weight" for e in range(4)]
                for name in ("w1", "w2", "w3")
            }
            w1, w2, w3 = (torch.stack([stored.pop(one) for one in names[name]]) for name in ("w1", "w2", "w3"))
            stored[f"{inside}.mlp.experts.gate_up_proj"] = torch.cat((w1, w3), 1)
            stored[f"{inside}.mlp.experts.down_proj"] = w2
        folder.mkdir(parents=True)
        save_file(stored, folder / "model.safetensors")
        (folder / "config.json").write_text((trial.saved / "config.json").read_text())
    dist.barrier()
    model = type(trial.whole).from_pretrained(folder, tp_plan="auto", device_mesh=trial.mesh)
    for (name, one), other in zip(model.named_parameters(), trial.divided.parameters(), strict=True):
        assert torch.equal(one.to_local(), other.to_local()), name


def caches(trial: Trial) -> None:
    """Of every kind, a cache holds this process's key/value heads; the step that is prepared is left out."""
    own = max(trial.whole.config.num_key_value_heads // dist.get_world_size(), 1)
    ids = trial.inputs["input_ids"]
    for kind, options in {"dynamic": {}, "static": {"max_cache_len": 64}, "quantized": {}, "full": {}}.items():
        cache = trial.divided.make_cache(kind=kind, **options)
        with torch.no_grad():
            trial.divided(input_ids=ids, past_key_values=cache)
            found = trial.divided(input_ids=ids[:, -1:], past_key_values=cache).logits
            wanted = trial.whole(input_ids=torch.cat((ids, ids[:, -1:]), 1)).logits[:, -1:]
        assert (found - wanted).abs().max() < (1e-5 if kind != "quantized" else 0.1), kind
        keys = getattr(cache.layers[0], "keys", None)
        assert keys is None or keys.shape[1] == own, f"{kind}: {keys.shape}"
    assert prepared_step(trial.divided) is None


def recomputed(trial: Trial) -> None:
    """Layers that are computed again in the backward pass give the same gradients."""
    wanted = [one.grad.to_local().clone() for one in trial.divided.parameters()]
    trial.divided.zero_grad()
    trial.divided.train()
    trial.divided.gradient_checkpointing_enable()
    labels = trial.subject.labels(trial.head, trial.inputs)
    loss_of(trial.divided, trial.inputs, labels).backward()
    trial.divided.gradient_checkpointing_disable()
    trial.divided.eval()
    for (name, one), other in zip(trial.divided.named_parameters(), wanted, strict=True):
        near(one.grad.to_local(), other, name)


def traffic(trial: Trial) -> None:
    """A layer's processes add up twice on the way forth and twice on the way back, once more for the vocabulary."""
    real, calls = dist.all_reduce, []

    def counted(*inputs: Any, **named: Any) -> Any:
        calls.append(inputs)
        return real(*inputs, **named)

    once = 2 * trial.whole.config.num_hidden_layers + 1
    dist.all_reduce = counted
    trial.divided.train()
    try:
        for recomputed in (False, True):
            if recomputed:
                trial.divided.gradient_checkpointing_enable()
            calls.clear()
            loss = trial.divided(input_ids=trial.inputs["input_ids"]).logits.square().mean()
            assert len(calls) == once, f"{len(calls)} sums on the way forth"
            calls.clear()
            loss.backward()
            assert once <= len(calls) <= (2 * once if recomputed else once), f"{len(calls)} sums on the way back"
    finally:
        dist.all_reduce = real
        trial.divided.gradient_checkpointing_disable()
        trial.divided.eval()


def finished_model(trial: Trial) -> None:
    """A model with values, another in each process, becomes the first one's."""
    model = type(trial.whole)(trial.whole.config.model_copy())
    with torch.no_grad():
        for one, other in zip(model.parameters(), trial.whole.parameters(), strict=True):
            one.copy_(other + dist.get_rank())
    parallelize(model, trial.mesh)
    with torch.no_grad():
        near(model(**trial.inputs).logits, trial.whole(**trial.inputs).logits, "logits")


def new_heads(trial: Trial, folder: Path) -> None:
    """A head that the checkpoint lacks is the same in every process."""
    kind = trial.subject.head_class("sequence-classification")
    torch.manual_seed(dist.get_rank())
    with warnings.catch_warnings(action="ignore"):
        model = kind.from_pretrained(trial.saved, tp_plan="auto", device_mesh=trial.mesh)
    everywhere: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, model.score.weight.to_local().tolist())
    assert all(one == everywhere[0] for one in everywhere)


def with_fully_shard(trial: Trial, mesh: DeviceMesh) -> None:
    """Divided over two, and what each holds spread over two: a step is that of the whole model, and so is what is
    put together."""
    whole, both = copy.deepcopy(trial.whole), copy.deepcopy(trial.whole)
    whole.zero_grad()
    both.zero_grad()
    parallelize(both, mesh["tp"])
    for _, layers in both.named_modules():
        if isinstance(layers, nn.ModuleList):
            for layer in layers:
                fully_shard(layer, mesh=mesh["dp"])
    fully_shard(both, mesh=mesh["dp"])
    labels = trial.subject.labels(trial.head, trial.inputs)
    for model in (whole, both):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss_of(model, trial.inputs, labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    for (name, one), other in zip(whole.named_parameters(), both.parameters(), strict=True):
        near(other.full_tensor(), one, name)


def refusals(trial: Trial, wide: DeviceMesh) -> None:
    """What cannot be is refused by name, and the model is as it was."""
    load = partial(AutoModelForCausalLM.from_pretrained, trial.saved)
    mesh, count = trial.mesh, dist.get_world_size()
    grid = init_device_mesh("cpu", (1, count), mesh_dim_names=("a", "b"))
    model = copy.deepcopy(trial.whole)
    for said, attempt in {
        "('a', 'b')": lambda: load(tp_plan="auto", device_mesh=grid),
        "2 dimensions": lambda: parallelize(model, wide),
        "packed by int8": lambda: load(tp_plan="auto", device_mesh=mesh, quantization="int8"),
        "device_map": lambda: load(tp_plan="auto", device_mesh=mesh, device_map="cpu"),
        "give tp_plan": lambda: load(device_mesh=mesh),
        "'magic'": lambda: load(tp_plan="magic", device_mesh=mesh),
        "model.layers.*.self_attn.q_proj": lambda: load(
            tp_plan={"model.layers.*.self_attn.q_prj": "colwise"}, device_mesh=mesh
        ),
        "meant colwise": lambda: load(tp_plan={"lm_head": "colwse"}, device_mesh=mesh),
        "already": lambda: parallelize(trial.divided, mesh),
        "5 heads": lambda: parallelize(other_sizes(trial, num_attention_heads=5, num_key_value_heads=5), mesh),
        "3 key/value heads": lambda: parallelize(
            other_sizes(trial, num_attention_heads=12, num_key_value_heads=3), mesh
        ),
        "33": lambda: parallelize(other_sizes(trial, intermediate_size=33), mesh),
    }.items():
        with pytest.raises(ParallelError, match=re.escape(said)):
            attempt()
    assert not any(isinstance(one, DTensor) for one in model.parameters())
    odd = other_sizes(trial, vocab_size=127)
    parallelize(odd, mesh)
    assert odd.lm_head.weight.placements[0].is_replicate(), "a vocabulary that cannot be divided is whole"


def other_sizes(trial: Trial, **values: int) -> PreTrainedModel:
    return type(trial.whole)(trial.subject.config(**values))


def own_plan(trial: Trial) -> None:
    """A plan of the caller's own, and the mesh that torchrun's processes make."""
    plan = {"model.layers.*.mlp.gate_proj": "colwise", "model.layers.*.mlp.up_proj": "colwise"}
    plan["model.layers.*.mlp.down_proj"] = "rowwise"
    assert plan.items() <= plan_of(trial.whole).items()
    model = AutoModelForCausalLM.from_pretrained(trial.saved, tp_plan=plan, dtype="bfloat16")
    assert model.lm_head.weight.placements[0].is_replicate()
    assert model.model.layers[0].mlp.up_proj.weight.placements[0].is_shard(0)
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        model(**trial.inputs)


def run(folder: Path, rank: int, count: int) -> None:
    """Run every check, and have the first process write what each one found."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count, timeout=timedelta(seconds=120)
    )
    mesh = init_device_mesh("cpu", (count,), mesh_dim_names=("tp",))
    wide = init_device_mesh("cpu", (count // 2, 2), mesh_dim_names=("dp", "tp"))
    found: dict[str, str] = {}
    trials: dict[str, Trial] = {}

    def check(name: str, work: Callable[[], Any]) -> Any:
        said, result = "", None
        try:
            result = work()
        except Exception:
            said = traceback.format_exc()
        everywhere: list[Any] = [None] * count
        dist.all_gather_object(everywhere, said)
        found[name] = "\n".join(one for one in everywhere if one)
        return result

    for model_type, head in FAMILIES[count].items():
        trial = check(f"{model_type}: loading", partial(Trial, model_type, head, mesh, folder))
        if trial is not None:
            trials[model_type] = trial
            check(f"{model_type}: results", trial.results)
            check(f"{model_type}: parts", trial.parts)
            check(f"{model_type}: saving", trial.saving)
            if trial.whole.can_generate():
                check(f"{model_type}: generation", trial.generation)
    for model_type, dtype in (("llama", "auto"), ("gpt2", "auto"), ("mixtral", "auto"), ("gpt2", "bfloat16")):
        check(f"{model_type}: reading in {dtype}", partial(reading, trials[model_type], dtype))
    check("mixtral: fused experts", partial(fused_experts, trials["mixtral"], folder / "fused"))
    llama = trials["llama"]
    check("llama: caches", partial(caches, llama))
    check("llama: recomputed", partial(recomputed, llama))
    if count == 2:
        check("llama: traffic", partial(traffic, llama))
    check("llama: a finished model", partial(finished_model, llama))
    check("llama: new heads", partial(new_heads, llama, folder))
    check("llama: own plan", partial(own_plan, llama))
    if count == 4:
        check("llama: with fully_shard", partial(with_fully_shard, llama, wide))
        check("gpt2: with fully_shard", partial(with_fully_shard, trials["gpt2"], wide))
    else:
        check("llama: refusals", partial(refusals, llama, wide))
    if dist.get_rank() == 0:
        (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
    dist.barrier()
    dist.destroy_process_group()


def main(folder: Path, count: int) -> None:
    """Start the processes; when one ends badly, end the others."""
    processes = []
    for rank in range(count):
        process = os.fork()
        if not process:
            try:
                run(folder, rank, count)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        processes.append(process)
    while processes:
        process, status = os.wait()
        processes.remove(process)
        if status:
            for other in processes:
                os.kill(other, signal.SIGKILL)
            sys.exit(f"one of {count} processes ended with status {status}")


if __name__ == "__main__":
    for number in sorted(FAMILIES):
        inside = Path(sys.argv[1]) / str(number)
        inside.mkdir()
        main(inside, number)
