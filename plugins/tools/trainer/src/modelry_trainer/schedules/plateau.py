"""A rate that falls when a metric no longer gets better: `step(metric)` after each evaluation."""

from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from modelry.errors import ParameterError


def reduce_lr_on_plateau(
    optimizer: Optimizer,
    *,
    warmup_steps: int,
    total_steps: int,
    mode: Literal["min", "max"] = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: int = 0,
    min_lr: float | list[float] = 0.0,
    eps: float = 1e-8,
) -> ReduceLROnPlateau:
    """See torch.optim.lr_scheduler.ReduceLROnPlateau, whose parameters these are.

    Raises:
        ParameterError: a warm-up is asked for, which this schedule has not.
    """
    if warmup_steps:
        raise ParameterError(
            f"reduce_lr_on_plateau goes by a metric and has no warm-up; {warmup_steps} warm-up steps were asked for"
        )
    return ReduceLROnPlateau(
        optimizer,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        min_lr=min_lr,
        eps=eps,
    )
