"""Schedules by the functions that scripts of the ecosystem call, for an optimizer of one's own.

Each returns a schedule before its first step. Arguments are the ecosystem's: num_warmup_steps, num_training_steps, what
the curve takes besides (see `schedules`), and last_epoch, the step after which a training goes on (-1: the beginning).
"""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from modelry_trainer.schedules import cosines, falling, plateau, stages


def get_constant_schedule(optimizer: Optimizer, last_epoch: int = -1) -> LRScheduler:
    """The same rate at all steps."""
    return _after(falling.constant(optimizer, warmup_steps=0, total_steps=0), last_epoch)


def get_constant_schedule_with_warmup(optimizer: Optimizer, num_warmup_steps: int, last_epoch: int = -1) -> LRScheduler:
    """A rise, then the same rate."""
    return _after(
        falling.constant_with_warmup(optimizer, warmup_steps=num_warmup_steps, total_steps=num_warmup_steps), last_epoch
    )


def get_linear_schedule_with_warmup(
    optimizer: Optimizer, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LRScheduler:
    """A rise, then evenly down to 0."""
    return _after(falling.linear(optimizer, warmup_steps=num_warmup_steps, total_steps=num_training_steps), last_epoch)


def get_cosine_schedule_with_warmup(
    optimizer: Optimizer, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5, last_epoch: int = -1
) -> LRScheduler:
    """A rise, then waves of a cosine."""
    steps = {"warmup_steps": num_warmup_steps, "total_steps": num_training_steps}
    return _after(cosines.cosine(optimizer, **steps, num_cycles=num_cycles), last_epoch)


def get_cosine_with_hard_restarts_schedule_with_warmup(
    optimizer: Optimizer, num_warmup_steps: int, num_training_steps: int, num_cycles: int = 1, last_epoch: int = -1
) -> LRScheduler:
    """A rise, then several falls from the full rate."""
    steps = {"warmup_steps": num_warmup_steps, "total_steps": num_training_steps}
    return _after(cosines.cosine_with_restarts(optimizer, **steps, num_cycles=num_cycles), last_epoch)


def get_cosine_with_min_lr_schedule_with_warmup(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> LRScheduler:
    """A rise, then half a cosine down to a rate above 0."""
    made = cosines.cosine_with_min_lr(
        optimizer,
        warmup_steps=num_warmup_steps,
        total_steps=num_training_steps,
        num_cycles=num_cycles,
        min_lr=min_lr,
        min_lr_rate=min_lr_rate,
    )
    return _after(made, last_epoch)


def get_polynomial_decay_schedule_with_warmup(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
    last_epoch: int = -1,
) -> LRScheduler:
    """A rise, then down by a power of the steps left."""
    steps = {"warmup_steps": num_warmup_steps, "total_steps": num_training_steps}
    return _after(falling.polynomial(optimizer, **steps, lr_end=lr_end, power=power), last_epoch)


def get_inverse_sqrt_schedule(
    optimizer: Optimizer, num_warmup_steps: int, timescale: int | None = None, last_epoch: int = -1
) -> LRScheduler:
    """A rise, then one over the square root of the step."""
    made = falling.inverse_sqrt(optimizer, warmup_steps=num_warmup_steps, total_steps=0, timescale=timescale)
    return _after(made, last_epoch)


def get_wsd_schedule(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_decay_steps: int,
    num_training_steps: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
) -> LRScheduler:
    """A rise, the full rate, and a fall; one of num_training_steps and num_stable_steps says for how long."""
    made = stages.warmup_stable_decay(
        optimizer,
        warmup_steps=num_warmup_steps,
        total_steps=num_training_steps or 0,
        num_decay_steps=num_decay_steps,
        num_stable_steps=num_stable_steps,
        warmup_type=warmup_type,
        decay_type=decay_type,
        min_lr_ratio=min_lr_ratio,
        num_cycles=num_cycles,
    )
    return _after(made, last_epoch)


def get_reduce_on_plateau_schedule(optimizer: Optimizer, **kwargs: Any) -> ReduceLROnPlateau:
    """Falls when a metric no longer gets better; `step` takes it."""
    return plateau.reduce_lr_on_plateau(optimizer, warmup_steps=0, total_steps=0, **kwargs)


def _after(made: LambdaLR, step: int) -> LambdaLR:
    return made if step == -1 else LambdaLR(made.optimizer, made.lr_lambdas, step)
