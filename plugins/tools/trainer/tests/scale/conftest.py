"""A world of many processes of which this is the first, and in which nothing is sent."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from modelry_registry import get_registry, resolve
from modelry_trainer.arguments import TrainingArguments
from modelry_trainer.distributed.sizes import Sizes
from modelry_trainer.distributed.spreading import spread
from modelry_trainer.distributed.world import Processes
from modelry_trainer.scale.ways import Way

Divide = Callable[[Any, Way], AbstractContextManager[Any]]


@pytest.fixture
def divide(tmp_path: Any) -> Divide:
    """Has the trainer's code divide a model for a way; the block in which it is so."""

    @contextmanager
    def divided(model: Any, way: Way) -> Iterator[Any]:
        dist.init_process_group("fake", rank=0, world_size=way.devices, store=FakeStore())
        try:
            yield spread(model, _arguments(way, tmp_path), _world(way))
        finally:
            dist.destroy_process_group()

    return divided


def _arguments(way: Way, folder: Any) -> TrainingArguments:
    sizes = {"dp_replicate_size": way.replicate, "dp_shard_size": way.shard, "tp_size": way.tensor}
    fsdp = True if way.shard > 1 else None
    return TrainingArguments(str(folder), fsdp=fsdp, bf16=True, use_cpu=True, parallelism_config=sizes)


def _world(way: Way) -> Processes:
    world = object.__new__(Processes)  # without torchrun
    world.rank, world.size = 0, way.devices
    world.sizes = Sizes(way.replicate, way.shard, way.tensor)
    world.device = torch.device("cpu" if way.shard > 1 else "meta")
    world._all = world._data = dist.group.WORLD
    world.mesh = init_device_mesh("cpu", tuple(world.sizes), mesh_dim_names=("dp_replicate", "dp_shard", "tp"))
    return world


@pytest.fixture
def decoder() -> Callable[..., Any]:
    """Makes the class and configuration of a decoder: family and values."""

    def make(family: str, **values: Any) -> tuple[Any, Any]:
        spec = get_registry().get("models", family)
        config_class: Any = resolve(spec.config)
        return resolve(spec.heads["causal-lm"]), config_class(**values)

    return make
