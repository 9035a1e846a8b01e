"""Adafactor: second moments of matrices kept as a row and a column. Shazeer and Stern 2018, arXiv:1804.04235.

R rows   C columns of the last two axes
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

from modelry.errors import ParameterError
from modelry_trainer.distributed.pieces import put
from modelry_trainer.parameters import within


def adafactor(
    groups: Iterable[Mapping[str, Any]],
    *,
    learning_rate: float,
    eps: tuple[float, float] = (1e-30, 1e-3),
    clip_threshold: float = 1.0,
    decay_rate: float = -0.8,
    beta1: float | None = None,
    scale_parameter: bool = False,
    relative_step: bool = False,
    warmup_init: bool = False,
) -> "Adafactor":
    """Adafactor with the learning rate of the schedule, unless `relative_step` asks for its own."""
    if warmup_init and not relative_step:
        raise ParameterError("warmup_init is how relative_step begins; give relative_step=True with it")
    if not decay_rate < 0:
        raise ParameterError(f"decay_rate is {decay_rate:g}: the part of the past that is forgotten is a power below 0")
    within("beta1", beta1 or 0.0, 0.0, 1.0)
    within("clip_threshold", clip_threshold, 1e-30, math.inf)
    return Adafactor(
        groups,
        {
            "lr": learning_rate,
            "eps": eps,
            "clip_threshold": clip_threshold,
            "decay_rate": decay_rate,
            "beta1": beta1,
            "weight_decay": 0.0,
            "scale_parameter": scale_parameter,
            "relative_step": relative_step,
            "warmup_init": warmup_init,
        },
    )


@final
class Adafactor(Optimizer):
    """The update of each tensor is its gradient over the root of its second moment, clipped by its own size."""

    def __init__(self, groups: Iterable[Mapping[str, Any]], defaults: dict[str, Any]) -> None:
        super().__init__([dict(group) for group in groups], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # two overloads there
        """Move every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad.float(), group)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state bit by bit: the averages of narrow weights are float32, which torch would make narrow."""
        super().load_state_dict(state_dict)
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for parameter, number in zip(group["params"], saved["params"], strict=True):
                for key, value in state_dict["state"].get(number, {}).items():
                    if isinstance(value, Tensor):
                        self.state[parameter][key] = value.to(parameter.device, copy=True)

    def _move(self, parameter: Tensor, grad: Tensor, group: Mapping[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(_fresh(grad, first_moment=group["beta1"] is not None))
        state["step"] += 1
        wide = parameter.float()
        rate = _rate(group, state["step"], wide)
        keep = 1.0 - state["step"] ** group["decay_rate"]
        update = _over_root(state, grad, grad.square().add_(group["eps"][0]), keep)
        update.div_((_rms(update) / group["clip_threshold"]).clamp_(min=1.0))
        update.mul_(rate)
        if group["beta1"] is not None:
            put(state["exp_avg"].mul(group["beta1"]).add(update, alpha=1 - group["beta1"]), state["exp_avg"])
            update = state["exp_avg"]
        if group["weight_decay"]:
            wide = wide.add(wide * rate, alpha=-group["weight_decay"])
        put(wide - update, parameter)


def _fresh(grad: Tensor, *, first_moment: bool) -> dict[str, Any]:
    state: dict[str, Any] = {"step": 0}
    if first_moment:
        state["exp_avg"] = torch.zeros_like(grad)
    if grad.dim() >= 2:
        state["exp_avg_sq_row"] = grad.new_zeros(grad.shape[:-1])  # (..., R)
        state["exp_avg_sq_col"] = grad.new_zeros(grad.shape[:-2] + grad.shape[-1:])  # (..., C)
    else:
        state["exp_avg_sq"] = torch.zeros_like(grad)
    return state


def _over_root(state: Mapping[str, Any], grad: Tensor, squares: Tensor, keep: float) -> Tensor:
    """The gradient over the root of the average of its squares, after `squares` have entered that average."""
    if grad.dim() < 2:
        average: Tensor = state["exp_avg_sq"].mul_(keep).add_(squares, alpha=1 - keep)
        return average.rsqrt().mul_(grad)
    rows: Tensor = state["exp_avg_sq_row"].mul_(keep).add_(squares.mean(-1), alpha=1 - keep)
    columns: Tensor = state["exp_avg_sq_col"].mul_(keep).add_(squares.mean(-2), alpha=1 - keep)
    by_row = (rows / rows.mean(-1, keepdim=True)).rsqrt_()[..., None]  # (..., R, 1)
    return (by_row * columns.rsqrt()[..., None, :]).mul_(grad)


def _rate(group: Mapping[str, Any], step: int, parameter: Tensor) -> Tensor | float:
    rate: float = group["lr"]
    if group["relative_step"]:
        rate = min(1e-6 * step if group["warmup_init"] else 1e-2, 1.0 / math.sqrt(step))
    return rate * _rms(parameter).clamp(min=group["eps"][1]) if group["scale_parameter"] else rate


def _rms(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x)
    return length / math.sqrt(x.numel())
