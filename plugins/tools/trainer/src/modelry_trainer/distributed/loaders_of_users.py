"""Loaders that are not the trainer's own (get_train_dataloader overridden): their batches, dealt out to processes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch.utils.data.distributed import DistributedSampler

from modelry_trainer.distributed.world import World
from modelry_trainer.feeding import BatchLoader, Fed


def orders_rows(loader: Any) -> bool:
    """Whether a loader's order is a function of its arguments, and not of what generators of random numbers say."""
    return isinstance(loader, BatchLoader) and loader.order is not None


def batches_of(loader: Any, world: World) -> Iterator[Fed]:
    """Of every W batches the one of this process; all of them where the loader divides its rows itself.

    Where the last ones are fewer, one of the first keeps a process company.
    """
    if _divides(loader, world):
        for batch in loader:
            yield Fed([], batch)
        return
    batches = iter(loader)
    first: list[Any] = []
    while group := list(islice(batches, world.data_size)):
        first = first or group
        mine = world.data_rank < len(group)
        spare = first[(world.data_rank - len(group)) % len(first)]
        yield Fed([], group[world.data_rank] if mine else spare, mine)


def number_of_batches(loader: Any, world: World) -> int:
    """Of this process in an epoch.

    Raises:
        TypeError: nobody knows.
    """
    count = len(loader)
    return count if isinstance(loader, BatchLoader) or _divides(loader, world) else -(-count // world.data_size)


def _divides(loader: Any, world: World) -> bool:
    samplers = (getattr(loader, "sampler", None), getattr(getattr(loader, "batch_sampler", None), "sampler", None))
    return world.data_size == 1 or any(isinstance(one, DistributedSampler) for one in samplers)
