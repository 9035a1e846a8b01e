"""from_pretrained in every process of a group: each reads its own part of each tensor, and nothing of the others'."""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

from modelry.accelerators import accelerators
from modelry.checkpoint.weight_table import Stack, Step
from modelry.errors import ParallelError
from modelry.parallel.applying import distributed, parallelize
from modelry.parallel.parts import Part, part_of

if TYPE_CHECKING:
    from modelry.checkpoint.loading import LoadOptions
    from modelry.model import PreTrainedModel

DIMENSION = "tp"
"""Name of the dimension of a mesh that a model is divided over."""


def begin(model: "PreTrainedModel", load: "LoadOptions", *, scheme: str | None) -> tuple["OwnParts", Any]:
    """Divide a model that has no values yet.

    Args:
        model: on the meta device.
        load: as the caller asked.
        scheme: name of the one that packs its layers; None: they stay float.

    Returns:
        What reads this process's parts, and the device they belong on.

    Raises:
        ParallelError: the options contradict each other, there are no processes, or see `parallelize`.
    """
    plan = load.tp_plan
    if plan is None:
        raise ParallelError('device_mesh is for a model that is divided: give tp_plan="auto" too')
    if isinstance(plan, str) and plan != "auto":
        raise ParallelError(f'tp_plan is {plan!r}; "auto" or a mapping of patterns to words is needed')
    if load.device_map is not None:
        raise ParallelError(
            "tp_plan divides every layer over the processes, device_map places whole ones: give one of them"
        )
    if scheme is not None:
        raise ParallelError(f"layers packed by {scheme} are not divided: load with tp_plan or quantized, not both")
    mesh = mesh_of(load.device_mesh)
    parallelize(model, mesh, plan=None if isinstance(plan, str) else plan)
    return OwnParts(model, mesh), _device(mesh)


def mesh_of(given: DeviceMesh | None) -> DeviceMesh:
    """The one-dimensional mesh that a model is divided over.

    Args:
        given: of one dimension, or with one called "tp"; None: all processes there are.

    Raises:
        ParallelError: it has neither, or no processes were started.
    """
    if given is not None:
        if given.ndim == 1:
            return given
        if DIMENSION in (given.mesh_dim_names or ()):
            return given[DIMENSION]
        raise ParallelError(
            f"the device mesh has {given.ndim} dimensions, {given.mesh_dim_names or tuple(given.shape)}, and none is "
            f"called {DIMENSION!r}: give a mesh of one dimension"
        )
    if not dist.is_initialized() and "RANK" not in os.environ:
        raise ParallelError(
            "tp_plan divides a model over several processes, and this is one alone: start the program with "
            "torchrun --nproc-per-node N, or give device_mesh"
        )
    here = accelerators()
    if here:
        torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", 0)) % len(here))
    count = dist.get_world_size() if dist.is_initialized() else int(os.environ["WORLD_SIZE"])
    return init_device_mesh(here[0].type if here else "cpu", (count,), mesh_dim_names=(DIMENSION,))


def _device(mesh: DeviceMesh) -> str | None:
    return None if mesh.device_type == "cpu" else f"{mesh.device_type}:{torch.accelerator.current_device_index()}"


class OwnParts:
    """Reads one process's parts of a checkpoint's tensors.

    Args:
        model: divided, on the meta device.
        mesh: of the processes.
    """

    def __init__(self, model: nn.Module, mesh: DeviceMesh) -> None:
        self._mesh = mesh
        self._expected: Mapping[str, Tensor] = model.state_dict(keep_vars=True)

    def read(self, step: Step, stored: Sequence[Tensor]) -> list[Tensor]:
        """What a step gives, this process's parts only; of the rest of the stored tensors no byte is read.

        Args:
            stored: mapped.
        """
        ways = [self._part(name) for name in step.ours]
        if isinstance(step.row, Stack) and ways[0].dim:
            below = Part(ways[0].dim - 1)  # a stack of parts is the part of the stack: what is stacked is whole
            return list(step.row.read([self._own(one, below) for one in stored]))
        views = step.row.read(stored) if all(way.dim is None for way in ways) else step.row.views(stored)
        return [self._own(view, way) for view, way in zip(views, ways, strict=True)]

    def _part(self, name: str) -> Part:
        tensor = self._expected.get(name)
        return part_of(tensor.placements[0]) if isinstance(tensor, DTensor) else Part()

    def _own(self, whole: Tensor, way: Part) -> Tensor:
        return way.own(whole, rank=self._mesh.get_local_rank(), size=self._mesh.size()).contiguous()

    def whole(self, name: str, local: Tensor) -> Tensor:
        """A tensor of the model, of which this process has `local`."""
        wanted = self._expected.get(name)
        if not isinstance(wanted, DTensor):
            return local
        return DTensor.from_local(
            local, self._mesh, wanted.placements, run_check=False, shape=wanted.shape, stride=wanted.stride()
        )

    def divide_new(self, model: nn.Module, names: Collection[str]) -> None:
        """Divide parameters that were made anew, whole, in every process: the first one's count."""
        for name in names:
            path, _, attribute = name.rpartition(".")
            parameters = model.get_submodule(path)._parameters
            made = parameters.get(attribute)
            if made is not None and not isinstance(made, DTensor):
                parameters[attribute] = distributed(made, self._part(name), self._mesh)
