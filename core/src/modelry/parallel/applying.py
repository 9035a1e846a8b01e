"""Carrying out a plan: everything is decided and checked first, then parameters are divided and layers changed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from modelry.errors import ParallelError
from modelry.parallel.deciding import PIECES, Decided, decide
from modelry.parallel.divided import Share, divide
from modelry.parallel.parts import Part
from modelry.parallel.plan import named_by, plan_of
from modelry.parallel.state import is_divided

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def parallelize(model: "PreTrainedModel", mesh: DeviceMesh, *, plan: Mapping[str, str] | None = None) -> None:
    """Divide a model over the processes of a mesh, in place. All of them call it, and `forward` from then on, with the
    same inputs. Shoeybi et al. 2019 (Megatron-LM), https://arxiv.org/abs/1909.08053.

    Parameters become DTensors, so an optimizer is made afterwards. The numbers that count are those of the mesh's first
    process. Random numbers are drawn by each process: seeded alike, they drop the same of what all have. Caches, and
    attention weights that are asked for, are of a process's own heads.

    Args:
        mesh: of one dimension.
        plan: instead of the family's; its patterns begin at the model, and each has to name something.

    Raises:
        ParallelError: nothing has been changed: there is no plan, it names what the model does not have, heads or sizes
            cannot be divided by the number of processes, the mesh has several dimensions, or the model is quantized,
            placed on several devices, or divided already.
    """
    _refuse_what_cannot_be(model, mesh)
    name, strict = type(model).__name__, plan is not None
    plan = plan_of(model) if plan is None else plan
    if not plan:
        raise ParallelError(
            f"{name} has no tensor-parallel plan: its configuration, {type(model.config).__name__}, declares no "
            "base_model_tp_plan. Give one as tp_plan={pattern: word}"
        )
    parameters = model.named_parameters(remove_duplicate=False)
    names = [*(path for path, _ in model.named_modules()), *(key for key, _ in parameters)]
    _apply(model, decide(model, named_by(plan, names, model=name, strict=strict), mesh.size()), mesh)


def _refuse_what_cannot_be(model: "PreTrainedModel", mesh: DeviceMesh) -> None:
    name = type(model).__name__
    if mesh.ndim != 1:
        raise ParallelError(
            f"the device mesh has {mesh.ndim} dimensions, {mesh.mesh_dim_names or tuple(mesh.shape)}; a model is "
            'divided over one: give mesh["tp"]'
        )
    if is_divided(model):
        raise ParallelError(f"{name} is divided over processes already")
    if model.hf_quantizer is not None:
        raise ParallelError(
            f"{name} is quantized ({model.hf_quantizer.method}), and packed layers are not divided: load it as float"
        )
    places = set(getattr(model, "hf_device_map", {}).values())
    if model.offloaded is not None or len(places) > 1:
        raise ParallelError(f"{name} lies on {', '.join(sorted(map(str, places)))}: load it without device_map")


def _apply(model: nn.Module, decided: Decided, mesh: DeviceMesh) -> None:
    from modelry.model import PreTrainedModel  # late: it loads and saves through these rooms

    spread: dict[int, nn.Parameter] = {}
    around = {name.rpartition(".")[0] for name in decided.words}  # in a pass of theirs, layers share an input
    for path, module in list(model.named_modules()):
        word = decided.words.get(path, "")
        owned = {name: value for name, value in module._parameters.items() if value is not None}
        if not owned and not word and path not in around and not isinstance(module, PreTrainedModel):
            continue
        share = _share(path, word, owned, decided, mesh)
        for name, parameter in owned.items():
            if id(parameter) not in spread:
                spread[id(parameter)] = distributed(parameter, decided.parts.get(id(parameter), Part()), mesh)
            module._parameters[name] = spread[id(parameter)]
        divide(module, word, share)
    for path, counts in decided.counts.items():
        model.get_submodule(path).__dict__.update(counts)


def _share(path: str, word: str, owned: Mapping[str, nn.Parameter], decided: Decided, mesh: DeviceMesh) -> Share:
    group = mesh.get_group()
    if path in decided.repeated:
        heads, head = mesh.size() // decided.repeated[path], mesh.get_local_rank() // decided.repeated[path]
        rows = {name: (head * (value.shape[0] // heads), value.shape[0] // heads) for name, value in owned.items()}
        return Share(group, summed=frozenset(owned), rows=rows)
    if word in PIECES:
        return Share(group, summed=frozenset(("bias",)), pieces=PIECES[word])
    if word:
        return Share(group, summed=frozenset(owned if word == "replicated_with_grad_allreduce" else ()))
    tied = {
        name for name, value in owned.items() if id(value) in decided.parts and f"{path}.{name}" not in decided.words
    }
    return Share(group, whole=frozenset(tied))


def distributed(parameter: nn.Parameter, part: Part, mesh: DeviceMesh) -> nn.Parameter:
    """A parameter that every process has, as a DTensor of which this one keeps its part. The first process's counts."""
    with torch.no_grad():
        whole = parameter.detach()
        if not whole.is_meta:
            whole = whole.to(mesh.device_type).contiguous()
            dist.broadcast(whole, group=mesh.get_group(), group_src=0)
        local = part.own(whole, rank=mesh.get_local_rank(), size=mesh.size())
        local = local if part.dim is None else local.clone(memory_format=torch.contiguous_format)
        spread = DTensor.from_local(
            local, mesh, [part.placement], run_check=False, shape=whole.shape, stride=whole.stride()
        )
    return nn.Parameter(spread, requires_grad=parameter.requires_grad)
