"""What all schedules that know the number of steps share: a rise from zero, then a curve of the share of steps done."""

from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

Curve = Callable[[int], float]
"""Step, from 0 on, to what the optimizer's own learning rate is multiplied by."""


def follow(optimizer: Optimizer, curve: Curve, *, warmup_steps: int) -> LambdaLR:
    """Rise evenly from 0 for `warmup_steps` steps, and follow `curve` from then on."""
    return LambdaLR(optimizer, lambda step: step / warmup_steps if step < warmup_steps else curve(step))


def done(step: int, *, begin: int, end: int) -> float:
    """The share of the steps from `begin` to `end` that lies behind `step`; above 1 beyond the end."""
    return (step - begin) / max(1, end - begin)


def first_rate(optimizer: Optimizer) -> float:
    """The learning rate that an optimizer was made with."""
    return float(optimizer.defaults["lr"])
