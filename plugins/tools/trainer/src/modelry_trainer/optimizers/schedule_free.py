"""AdamW without a schedule: an average of the weights takes its place. Defazio et al. 2024, arXiv:2405.15682.

Three sequences: z is moved by the gradients, x is the average of z and the result, and gradients are taken at
y = (1 - beta) z + beta x, which is what the model holds while it is trained.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from modelry.errors import ParameterError
from modelry_trainer.parameters import within


def schedule_free_adamw(
    groups: Iterable[Mapping[str, Any]],
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    warmup_steps: int = 0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
) -> "ScheduleFreeAdamW":
    """Schedule-free AdamW, with its own warm-up.

    Args:
        warmup_steps: steps in which the rate rises. A schedule is to be "constant".
        r: power of the step in the weight of the average.
        weight_lr_power: power of the highest rate so far in it.
    """
    if warmup_steps != int(warmup_steps) or warmup_steps < 0:
        raise ParameterError(f"warmup_steps is {warmup_steps:g}: write a whole number of steps, from 0 on")
    within("betas[1]", betas[1], 0.0, 1.0)
    if not 0 < betas[0] < 1:
        raise ParameterError(f"betas[0] is {betas[0]}: schedule-free AdamW mixes two sequences by it, within (0, 1)")
    return ScheduleFreeAdamW(
        groups,
        {
            "lr": learning_rate,
            "betas": betas,
            "eps": eps,
            "weight_decay": 0.0,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
            "step": 0,
            "highest": 0.0,
            "weight_sum": 0.0,
            "train_mode": True,
        },
    )


@final
class ScheduleFreeAdamW(Optimizer):
    """Call `eval()` before the model is evaluated or saved for use, and `train()` before it is trained on.

    To and fro changes no bit: the weights that training goes on with are kept aside meanwhile.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], defaults: dict[str, Any]) -> None:
        super().__init__([dict(group) for group in groups], defaults)
        self._aside: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def eval(self) -> None:
        """Put the average, x, into the model."""
        for group in self.param_groups:
            if group["train_mode"]:
                for parameter in group["params"]:
                    if "z" in self.state[parameter]:
                        self._aside[parameter] = parameter.clone()
                        parameter.lerp_(self.state[parameter]["z"], 1 - 1 / group["betas"][0])
                group["train_mode"] = False

    @torch.no_grad()
    def train(self) -> None:
        """Put the weights at which gradients are taken, y, into the model."""
        for group in self.param_groups:
            if not group["train_mode"]:
                for parameter in group["params"]:
                    if parameter in self._aside:
                        parameter.copy_(self._aside.pop(parameter))
                    elif "z" in self.state[parameter]:  # its state was loaded as it was in eval mode
                        parameter.lerp_(self.state[parameter]["z"], 1 - group["betas"][0])
                group["train_mode"] = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; weights kept aside belonged to the old one."""
        super().load_state_dict(state_dict)
        self._aside.clear()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # two overloads there
        """Move every parameter that has a gradient.

        Raises:
            RuntimeError: the model holds the average.
        """
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            if not group["train_mode"]:
                raise RuntimeError("schedule-free AdamW is in eval mode; call optimizer.train() before it trains")
            rate, share = _advance(group)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group, rate=rate, share=share)
        return loss

    def _move(self, y: Tensor, grad: Tensor, group: Mapping[str, Any], *, rate: float, share: float) -> None:
        state = self.state[y]
        if not state:
            state["z"], state["exp_avg_sq"] = y.clone(), torch.zeros_like(y)
        mix, memory = group["betas"]
        z, squares = state["z"], state["exp_avg_sq"]
        squares.mul_(memory).addcmul_(grad, grad, value=1 - memory)
        root = squares.div(1 - memory ** group["step"]).sqrt_().add_(group["eps"])
        change = (grad / root).add_(y, alpha=group["weight_decay"])
        # y moves with x and z at once: x by `share` towards the new z, and y again between them.
        y.lerp_(z, share).add_(change, alpha=rate * (mix * (1 - share) - 1))
        z.sub_(change, alpha=rate)


def _advance(group: dict[str, Any]) -> tuple[float, float]:
    """Count a step; return its rate, and the share of the new z in the average."""
    group["step"] += 1
    rise = min(1.0, group["step"] / group["warmup_steps"]) if group["warmup_steps"] else 1.0
    rate = float(group["lr"]) * rise
    group["highest"] = max(rate, group["highest"])
    weight = group["step"] ** group["r"] * group["highest"] ** group["weight_lr_power"]
    group["weight_sum"] += weight
    return rate, weight / group["weight_sum"] if group["weight_sum"] else 0.0
