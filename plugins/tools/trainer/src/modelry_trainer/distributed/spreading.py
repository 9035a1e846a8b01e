"""A model over the processes of a training: a copy in each (DDP), or its layers and parameters divided among them.

Layers are divided first (tensor parallelism, by the plan of the family), then each process keeps its part of what is
left (FSDP2). Gradients are summed over all that see different rows: a process's loss is its share of the whole step's.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from inspect import isfunction
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from modelry.gradient_checkpointing import layers_of
from modelry_trainer.distributed.dealing import dealt_dimension
from modelry_trainer.distributed.options import Sharding
from modelry_trainer.distributed.pieces import is_piece
from modelry_trainer.distributed.world import Processes, World
from modelry_trainer.errors import ArgumentsError

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


def spread(model: nn.Module, args: "TrainingArguments", world: World) -> nn.Module:
    """Bring a model where it will be trained; divided in place, where that is asked for.

    Raises:
        ArgumentsError: it is of a kind that cannot be divided.
    """
    placed = getattr(model, "hf_device_map", None)
    if isinstance(world, Processes):
        if placed and len(set(placed.values())) > 1:
            raise ArgumentsError(
                f"the model lies on {len(set(placed.values()))} devices (device_map) and there are {world.size} "
                "processes: load it without device_map"
            )
        if args.auto_find_batch_size:
            raise ArgumentsError(
                f"auto_find_batch_size and {world.size} processes: they cannot try again one by one; leave it out"
            )
        if args.sharding is not None or world.sizes.tensor > 1:
            return _divided(model, args, world)
    return model if placed else model.to(world.device)


def wrapped(model: nn.Module, args: "TrainingArguments", world: World) -> nn.Module:
    """What training runs: the model, or around each copy of it what sums the gradients (DDP)."""
    if not isinstance(world, Processes) or args.sharding is not None or world.sizes.tensor > 1:
        return model
    unused = args.ddp_find_unused_parameters
    if unused is None:  # layers that are recomputed within the backward pass cannot be looked for beforehand
        within = args.checkpoints_activations and args.checkpointing_options.get("use_reentrant", False)
        unused = not within and not args.ddp_static_graph
    buffers: dict[str, Any] = (
        {} if args.ddp_broadcast_buffers is None else {"broadcast_buffers": args.ddp_broadcast_buffers}
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)  # the name of before 2.13
        copies = DistributedDataParallel(
            model,
            device_ids=[world.device] if world.device.type != "cpu" else None,
            find_unused_parameters=unused,
            bucket_cap_mb=args.ddp_bucket_cap_mb,
            static_graph=bool(args.ddp_static_graph),
            gradient_as_bucket_view=True,  # gradients lie where they are summed, and not there once more
            **buffers,
        )
    copies.register_comm_hook(None, _summed)
    return copies


def holding_gradients(model: nn.Module, *, last: bool) -> AbstractContextManager[Any]:
    """The block of a part of a step: copies sum their gradients in the last one only.

    Sharded gradients are summed in every part: to keep them whole until the last would take the memory of all of them.
    """
    return model.no_sync() if isinstance(model, DistributedDataParallel) and not last else nullcontext()


def add_up_scalars(model: nn.Module, world: World) -> None:
    """Sum the gradients of parameters without a dimension: FSDP2 divides none, all processes have them whole."""
    from torch.distributed.fsdp import FSDPModule

    alone = list(_scalars(model)) if isinstance(model, FSDPModule) else []
    if not alone:
        return
    own = [0.0 if one.grad is None else float(_local(one.grad)) for one in alone]
    for one, value in zip(alone, world.total(*own), strict=True):
        if one.grad is None:
            one.grad = torch.zeros_like(one)
        _local(one.grad).fill_(value)


def let_go(model: nn.Module, world: World) -> None:
    """Drop what a forward pass without a backward pass has left gathered: it would be stale when weights change."""
    if world.mesh is not None:
        from torch.distributed.fsdp import FSDPModule

        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()


def one_by_one(optimizer: Any) -> None:
    """Where some parameters are divided otherwise than others, move each alone: many at once must be of one kind."""
    kinds = {
        parameter.device_mesh if is_piece(parameter) else None
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    if len(kinds) > 1:
        for group in optimizer.param_groups:
            for name in ("foreach", "fused"):
                if name in group:
                    group[name] = False


def _summed(state: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:  # type: ignore[name-defined]  # torch does not list it
    work: Any = dist.all_reduce(bucket.buffer(), async_op=True)
    summed: torch.futures.Future[torch.Tensor] = work.get_future().then(lambda done: done.value()[0])
    return summed


def _divided(model: nn.Module, args: "TrainingArguments", world: Processes) -> nn.Module:
    if getattr(model, "hf_quantizer", None) is not None:
        raise ArgumentsError(
            "the model's layers are packed (quantization), and packed layers are not divided among processes: leave "
            "fsdp and tp_size out, each process then has a copy"
        )
    sharding = args.sharding
    if sharding is None or sharding.sync_module_states:
        _made_equal(model, world)
    if world.sizes.tensor > 1:
        from modelry.parallel import parallelize

        whole: Any = model  # who has no plan is refused there
        parallelize(whole, world.mesh["tp"])
    if sharding is None and world.sizes.replicate == 1:
        return model.to(world.device)
    _shard(model, args, sharding or Sharding(reshard_after_forward=False), world)
    return model


def _made_equal(model: nn.Module, world: Processes) -> None:
    """Every process begins with the weights of the first, new heads included."""
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            if value.numel() and not value.is_meta:
                first = world.broadcast(value)
                if not torch.equal(first, value):  # what is mapped from a file stays so where nothing changes
                    value.copy_(first)


def _shard(model: nn.Module, args: "TrainingArguments", sharding: Sharding, world: Processes) -> None:
    from torch.distributed.fsdp import (
        CPUOffloadPolicy,
        FSDPModule,
        MixedPrecisionPolicy,
        OffloadPolicy,
        fully_shard,
        register_fsdp_forward_method,
    )

    halves = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    whole_mesh = world.sizes.replicate > 1
    options: dict[str, Any] = {
        "mesh": world.mesh["dp_replicate", "dp_shard"] if whole_mesh else world.mesh["dp_shard"],
        "reshard_after_forward": sharding.reshard_after_forward,
        "mp_policy": halves if args.bf16 else MixedPrecisionPolicy(),
        "offload_policy": CPUOffloadPolicy(pin_memory=world.device.type != "cpu")
        if sharding.cpu_offload
        else OffloadPolicy(),
        "ignored_params": set(_scalars(model)),
        "shard_placement_fn": partial(_dealt, shards=world.sizes.shard),
    }
    for one in _scalars(model):
        one.data = one.data.to(world.device)
    # Scores are a view of the product they come from, and nobody here writes into them.
    warnings.filterwarnings("ignore", r"FSDP2-wrapped module \(\w+\) returned a view tensor", UserWarning)
    parts = units(model, sharding)
    if args.bf16:  # running means and variances are buffers and stay float32, and so must what goes with them
        whole = MixedPrecisionPolicy(param_dtype=torch.float32, output_dtype=torch.bfloat16)
        for norm in _batch_norms(model):
            fully_shard(norm, **options | {"mp_policy": whole})
    for unit in parts:
        fully_shard(unit, **options)
    options["reshard_after_forward"] = False  # what is outside of layers is the first that the backward pass needs
    fully_shard(model, **options)
    if hasattr(model, "generate"):  # which runs an encoder by itself: what is outside of layers has to be there
        register_fsdp_forward_method(model, "generate")
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # no premultiplied sum, which gloo lacks


def _dealt(parameter: nn.Parameter, *, shards: int) -> Any:
    """How FSDP deals out a parameter, which tensor parallelism may have divided."""
    from torch.distributed.tensor import Shard

    divided = {one.dim for one in parameter.placements if one.is_shard()} if is_piece(parameter) else set()  # type: ignore[attr-defined]  # a DTensor's
    return Shard(dealt_dimension(_local(parameter).shape, shards, divided=divided))


def units(model: nn.Module, sharding: Sharding) -> list[nn.Module]:
    """The parts that are gathered one after the other; inner ones first, the model itself left out.

    Raises:
        ArgumentsError: a class is named that no part has, or parts with parameters of several dtypes.
    """
    names = sharding.transformer_layer_cls_to_wrap
    if sharding.auto_wrap_policy == "NO_WRAP":
        found: list[nn.Module] = []
    elif sharding.auto_wrap_policy == "SIZE_BASED_WRAP":
        found = list(_large(model, sharding.min_num_params))
    elif names:
        present = {type(module).__name__ for module in model.modules()}
        missing = [name for name in names if name not in present]
        if missing:
            raise ArgumentsError(
                f"fsdp_config names the class {missing[0]} in transformer_layer_cls_to_wrap, and "
                f"{type(model).__name__} has no such part: it has {', '.join(sorted(present))}"
            )
        found = [module for module in reversed(list(model.modules())) if type(module).__name__ in names]
        apart = [type(part).__name__ for part in found if part in _asked_otherwise(model)]
        if apart:
            raise ArgumentsError(
                f"fsdp_config names the class {apart[0]} in transformer_layer_cls_to_wrap, whose parts are called from "
                f"outside of it: name a class around it, or leave it out ({type(model).__name__} has layers)"
            )
    else:
        found = list(layers_of(model))
    once = [part for part in dict.fromkeys(found) if part is not model and _alone(part, model)]
    for part in (*once, model):
        dtypes = {parameter.dtype for parameter in part.parameters() if parameter.requires_grad}
        if len(dtypes) > 1:
            raise ArgumentsError(
                f"{type(part).__name__} has parameters of {', '.join(sorted(map(str, dtypes)))}, and fsdp gathers "
                "parameters of one dtype: load the model with dtype='float32' and set bf16=True"
            )
    return once


def _batch_norms(model: nn.Module) -> Iterator[nn.Module]:
    """Norms that keep statistics of what they have seen, with trained scales."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    return (one for one in model.modules() if isinstance(one, kinds) and one.affine and one.weight.requires_grad)


def _scalars(model: nn.Module) -> Iterator[nn.Parameter]:
    """Trained parameters without a dimension: the scale of CLIP's logits."""
    return (one for one in model.parameters() if one.requires_grad and not one.dim())


def _local(tensor: Tensor) -> Tensor:
    local: Any = tensor
    return local.to_local() if is_piece(local) else tensor


def _large(module: nn.Module, least: int) -> Iterator[nn.Module]:
    """Parts that have so many parameters beside those of the parts inside them that have as many."""
    taken: set[int] = set()
    open_ones = _asked_otherwise(module)

    def visit(part: nn.Module) -> Iterator[nn.Module]:
        for child in part.children():
            yield from visit(child)
        own = [one for one in part.parameters() if id(one) not in taken]
        called = not isinstance(part, nn.ModuleList | nn.ModuleDict) and part not in open_ones
        if called and sum(one.numel() for one in own) >= least:
            taken.update(map(id, own))
            yield part

    yield from visit(module)


def _asked_otherwise(model: nn.Module) -> set[nn.Module]:
    """Parts with methods beside forward, as T5's attention has, and what is around them up to a whole layer. Parameters
    are gathered where forward is called, and whoever calls another method may be anywhere in the layer."""
    layers, found = set(layers_of(model)), set[nn.Module]()
    for name, module in model.named_modules():
        if not _has_methods(module):
            continue
        while name and (around := model.get_submodule(name)) not in layers:
            found.add(around)
            name = name.rpartition(".")[0]
    return found


def _has_methods(module: nn.Module) -> bool:
    own = [kind for kind in type(module).__mro__ if not kind.__module__.startswith("torch.")]
    named = {name for kind in own for name, value in vars(kind).items() if isfunction(value) and name[0] != "_"}
    return bool(named - {"forward", "extra_repr", "reset_parameters"}) and any(True for _ in module.parameters())


def _alone(part: nn.Module, model: nn.Module) -> bool:
    """Whether no parameter of a part is that of another part too: one parameter is gathered in one place."""
    inside = {id(module) for module in part.modules()}
    own = {id(parameter) for parameter in part.parameters()}
    elsewhere: set[int] = {
        id(parameter)
        for module in model.modules()
        if id(module) not in inside
        for parameter in module.parameters(recurse=False)
    }
    return bool(own) and not own & elsewhere


def clip(parameters: Iterator[Tensor], limit: float) -> float:
    """Make gradients no longer than `limit` together, wherever their parts are; returns their length before.

    A part that several processes have counts once.
    """
    kinds: dict[tuple[Any, tuple[int, ...]], list[Tensor]] = {}
    for parameter in parameters:
        grad: Any = parameter.grad
        if grad is None:
            continue
        if is_piece(grad):
            if any(placement.is_partial() for placement in grad.placements):
                grad = parameter.grad = _complete(grad)
            divided = tuple(dim for dim, one in enumerate(grad.placements) if not one.is_replicate())
            kinds.setdefault((grad.device_mesh, divided), []).append(grad.to_local())
        else:
            kinds.setdefault((None, ()), []).append(grad)
    if not kinds:
        return 0.0
    squares: float = 0.0
    for (mesh, divided), grads in kinds.items():
        square = torch.nn.utils.get_total_norm(grads).double().square()
        for dim in divided:
            dist.all_reduce(square, group=mesh.get_group(dim))
        squares += float(square)
    length = math.sqrt(squares)
    factor = limit / (length + 1e-6)
    if factor < 1:
        for grads in kinds.values():
            torch._foreach_mul_(grads, factor)
    return length


def _complete(grad: Any) -> Any:
    from torch.distributed.tensor import Replicate

    return grad.redistribute(placements=[Replicate() if one.is_partial() else one for one in grad.placements])
