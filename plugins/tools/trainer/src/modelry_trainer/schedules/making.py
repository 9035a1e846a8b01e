"""From the name of a schedule to the object that sets an optimizer's learning rate."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelry.errors import ParameterError
from modelry_registry import get_registry, resolve
from modelry_trainer.parameters import check_parameters, made

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
    make, given = _maker(name), dict(parameters or {})
    check_schedule_parameters(name, given)

    def begin(**given: Any) -> LRScheduler:
        schedule = make(optimizer, warmup_steps=warmup_steps, total_steps=total_steps, **given)
        for curve in getattr(schedule, "lr_lambdas", ()):  # now, and not in the middle of the training
            for step in (0, warmup_steps, warmup_steps + 1, total_steps // 2, total_steps):
                if not 0 <= curve(step) < math.inf:
                    raise ParameterError(f"schedule {name!r}: step {step} has {curve(step):g} times the learning rate")
        return schedule

    return made(f"schedule {name!r}", begin, given)


def check_schedule_parameters(name: str, given: Mapping[str, object]) -> None:
    """Refuse what `make_schedule` would refuse of its parameters, without making anything.

    Raises:
        UnknownName, MissingPlugin, ...: nobody provides the name.
        ParameterError: the schedule has no such parameter, needs another, or a value is of another kind.
    """
    check_parameters(f"schedule {name!r}", _maker(name), given, ours=_OURS)


def follows_metric(name: str) -> bool:
    """Whether a schedule's `step` is called with a metric after each evaluation, and not after each step."""
    return get_registry().get("schedules", name).follows_metric


def _maker(name: str) -> Callable[..., LRScheduler]:
    return cast("Callable[..., LRScheduler]", resolve(get_registry().get("schedules", name).make))
