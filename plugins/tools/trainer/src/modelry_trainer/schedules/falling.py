"""Schedules that never rise again: constant, linear, polynomial, inverse square root."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from modelry.errors import ParameterError
from modelry_trainer.schedules.rising import done, first_rate, follow


def constant(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """The same rate at all steps, the first ones included."""
    return follow(optimizer, lambda _: 1.0, warmup_steps=0)


def constant_with_warmup(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """A rise, then the same rate at all steps."""
    return follow(optimizer, lambda _: 1.0, warmup_steps=warmup_steps)


def linear(optimizer: Optimizer, *, warmup_steps: int, total_steps: int) -> LambdaLR:
    """A rise, then evenly down to 0 at the last step."""
    left = max(1, total_steps - warmup_steps)
    return follow(optimizer, lambda step: max(0.0, (total_steps - step) / left), warmup_steps=warmup_steps)


def polynomial(
    optimizer: Optimizer, *, warmup_steps: int, total_steps: int, lr_end: float = 1e-7, power: float = 1.0
) -> LambdaLR:
    """A rise, then down to `lr_end` by a power of the share of steps that is left.

    Raises:
        ParameterError: `lr_end` is not below the learning rate.
    """
    highest = first_rate(optimizer)
    if not lr_end < highest:
        raise ParameterError(f"lr_end is {lr_end:g}, which is not below the learning rate of {highest:g}")

    def curve(step: int) -> float:
        left = max(0.0, 1.0 - done(step, begin=warmup_steps, end=total_steps))
        return float((highest - lr_end) * left**power + lr_end) / highest

    return follow(optimizer, curve, warmup_steps=warmup_steps)


def inverse_sqrt(
    optimizer: Optimizer, *, warmup_steps: int, total_steps: int, timescale: int | None = None
) -> LambdaLR:
    """A rise, then as one over the square root of the step. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    Args:
        timescale: steps after which the rate has fallen by the square root of two; as many as the rise has when None,
            and 10,000 where there is no rise.
    """
    scale = timescale or warmup_steps or 10_000
    return follow(
        optimizer, lambda step: 1.0 / math.sqrt((step - warmup_steps + scale) / scale), warmup_steps=warmup_steps
    )
