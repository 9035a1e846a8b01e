"""Lion: a step of one size in the direction of a momentum. Chen et al. 2023, https://arxiv.org/abs/2302.06675."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch.optim import Optimizer

from modelry_trainer.parameters import within


def lion(
    groups: Iterable[Mapping[str, Any]], *, learning_rate: float, betas: tuple[float, float] = (0.9, 0.99)
) -> "Lion":
    """Lion; its learning rate is a third to a tenth of AdamW's, and its weight decay as many times greater."""
    for number, beta in enumerate(betas):
        within(f"betas[{number}]", beta, 0.0, 1.0)
    return Lion(groups, {"lr": learning_rate, "betas": betas, "weight_decay": 0.0})


@final
class Lion(Optimizer):
    """One average of gradients; the first beta weighs it for the direction, the second for what is remembered."""

    def __init__(self, groups: Iterable[Mapping[str, Any]], defaults: dict[str, Any]) -> None:
        super().__init__([dict(group) for group in groups], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # two overloads there
        """Move every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            direction, memory = group["betas"]
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["exp_avg"] = torch.zeros_like(parameter)
                average = state["exp_avg"]
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(average.lerp(grad, 1 - direction).sign_(), alpha=-group["lr"])
                average.lerp_(grad, 1 - memory)
        return loss
