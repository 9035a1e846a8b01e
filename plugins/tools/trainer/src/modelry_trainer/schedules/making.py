"""From the name of a schedule to the object that sets an optimizer's learning rate."""

from collections.abc import Callable, Mapping
from typing import cast

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelry_registry import get_registry, resolve
from modelry_trainer.parameters import check_parameters

_OURS = frozenset({"warmup_steps", "total_steps"})


def make_schedule(
    name: str,
    optimizer: Optimizer,
    *,
    warmup_steps: int,
    total_steps: int,
    parameters: Mapping[str, object] | None = None,
) -> LRScheduler:
    """The schedule of a name, before its first step.

    Args:
        name: "linear", "cosine", ...; all: `get_registry().names("schedules")`.
        warmup_steps: steps in which the rate rises.
        total_steps: steps of the whole training, the warm-up included.
        parameters: what this schedule takes besides (`lr_scheduler_kwargs`).

    Raises:
        UnknownName, MissingPlugin, ...: nobody provides the name (see `modelry_registry.Registry.get`).
        ParameterError: the schedule has no such parameter, needs another, or a value is impossible.
    """
    make = cast("Callable[..., LRScheduler]", resolve(get_registry().get("schedules", name).make))
    given = dict(parameters or {})
    check_parameters(f"schedule {name!r}", make, given, ours=_OURS)
    return make(optimizer, warmup_steps=warmup_steps, total_steps=total_steps, **given)


def follows_metric(name: str) -> bool:
    """Whether a schedule's `step` is called with a metric after each evaluation, and not after each step."""
    return get_registry().get("schedules", name).follows_metric
