"""Schedules that follow a cosine: one fall, several with restarts, and one to a rate above 0.

Loshchilov and Hutter 2016, https://arxiv.org/abs/1608.03983.
"""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from modelry.errors import ParameterError
from modelry_trainer.schedules.rising import done, first_rate, follow


def half_wave(share: float) -> float:
    """1 at 0, 0 at 1, and a half cosine between them."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


def cosine(optimizer: Optimizer, *, warmup_steps: int, total_steps: int, num_cycles: float = 0.5) -> LambdaLR:
    """A rise, then `num_cycles` waves of a cosine: one half of it falls to 0 at the last step."""
    return follow(
        optimizer,
        lambda step: half_wave(2 * num_cycles * done(step, begin=warmup_steps, end=total_steps)),
        warmup_steps=warmup_steps,
    )


def cosine_with_restarts(optimizer: Optimizer, *, warmup_steps: int, total_steps: int, num_cycles: int = 1) -> LambdaLR:
    """A rise, then `num_cycles` falls to 0, each from the full rate."""

    def curve(step: int) -> float:
        share = done(step, begin=warmup_steps, end=total_steps)
        return 0.0 if share >= 1.0 else half_wave((num_cycles * share) % 1.0)

    return follow(optimizer, curve, warmup_steps=warmup_steps)


def cosine_with_min_lr(
    optimizer: Optimizer,
    *,
    warmup_steps: int,
    total_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> LambdaLR:
    """As `cosine`, down to a rate above 0.

    Args:
        min_lr: the lowest rate.
        min_lr_rate: the same as a share of the learning rate; one of the two must be given.

    Raises:
        ParameterError: neither or both are given.
    """
    lowest = _lowest(optimizer, min_lr, min_lr_rate)
    return follow(
        optimizer,
        lambda step: _above(lowest, half_wave(2 * num_cycles * done(step, begin=warmup_steps, end=total_steps))),
        warmup_steps=warmup_steps,
    )


def cosine_warmup_with_min_lr(
    optimizer: Optimizer,
    *,
    warmup_steps: int,
    total_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> LambdaLR:
    """As `cosine_with_min_lr`, counted from 1: the first step has a rate above 0, and the last one the lowest.

    Args:
        warmup_lr_rate: share of the learning rate with which the rise begins; one step of the rise when None.

    Raises:
        ParameterError: neither or both of `min_lr` and `min_lr_rate` are given.
    """
    lowest = _lowest(optimizer, min_lr, min_lr_rate)

    def curve(step: int) -> float:
        if step >= warmup_steps:
            share = done(step + 1, begin=warmup_steps, end=total_steps)
            return _above(lowest, half_wave(2 * num_cycles * share))
        if warmup_lr_rate is None:
            return (step + 1) / warmup_steps
        return warmup_lr_rate + (1 - warmup_lr_rate) * step / max(1, warmup_steps - 1)

    return follow(optimizer, curve, warmup_steps=0)


def _above(lowest: float, share: float) -> float:
    return max(0.0, share * (1 - lowest) + lowest)


def _lowest(optimizer: Optimizer, min_lr: float | None, min_lr_rate: float | None) -> float:
    if (min_lr is None) != (min_lr_rate is None):
        share = min_lr_rate if min_lr is None else min_lr / first_rate(optimizer)
        assert share is not None
        if not 0 <= share <= 1:
            raise ParameterError(
                f"the lowest rate is {share:g} times the learning rate of {first_rate(optimizer):g}; 0 to 1 can be"
            )
        return share
    found = "both were" if min_lr is not None else "neither was"
    raise ParameterError(f"give one of min_lr and min_lr_rate; {found} given")
