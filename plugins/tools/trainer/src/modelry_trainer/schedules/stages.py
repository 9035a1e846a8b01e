"""The schedule of three stages: warm up, stay, decay. Hu et al. 2024, https://arxiv.org/abs/2404.06395."""

import math
from collections.abc import Callable, Mapping

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from modelry.errors import ParameterError
from modelry_trainer.schedules.cosines import half_wave
from modelry_trainer.schedules.rising import done, follow

RISES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "cosine": lambda share: 1 - half_wave(share),
    "1-sqrt": lambda share: 1 - math.sqrt(1 - share),
}
"""Share of the warm-up that is done to a number from 0 to 1."""


def warmup_stable_decay(
    optimizer: Optimizer,
    *,
    warmup_steps: int,
    total_steps: int,
    num_decay_steps: int,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> LambdaLR:
    """Rise, stay at the full rate, fall; the lowest rate after that.

    Args:
        num_decay_steps: steps of the fall.
        num_stable_steps: steps at the full rate; what is left of all steps when None.
        warmup_type, decay_type: "linear", "cosine" or "1-sqrt".
        min_lr_ratio: share of the learning rate that the rise begins with and the fall ends with.
        num_cycles: waves of a fall by cosine.

    Raises:
        ParameterError: an unknown type, or stages that are longer than the training.
    """
    falls: Mapping[str, Callable[[float], float]] = {
        "linear": lambda share: 1 - share,
        "cosine": lambda share: half_wave(2 * num_cycles * share),
        "1-sqrt": lambda share: 1 - math.sqrt(share),
    }
    for name, value in (("warmup_type", warmup_type), ("decay_type", decay_type)):
        if value not in falls:
            raise ParameterError(f"{name} is {value!r}; use {', '.join(falls)}")
    stable = total_steps - warmup_steps - num_decay_steps if num_stable_steps is None else num_stable_steps
    if stable < 0:
        raise ParameterError(
            f"{warmup_steps} steps of warm-up and {num_decay_steps} of decay are more than the {total_steps} steps "
            "of the training"
        )
    falling = warmup_steps + stable
    end = falling + num_decay_steps
    rise, fall = RISES[warmup_type], falls[decay_type]

    def curve(step: int) -> float:
        if step < warmup_steps:
            return _above(rise(done(step, begin=0, end=warmup_steps)))
        if step < falling:
            return 1.0
        return _above(fall(done(step, begin=falling, end=end))) if step < end else min_lr_ratio

    def _above(share: float) -> float:
        return max(0.0, share * (1 - min_lr_ratio) + min_lr_ratio)

    return follow(optimizer, curve, warmup_steps=0)
