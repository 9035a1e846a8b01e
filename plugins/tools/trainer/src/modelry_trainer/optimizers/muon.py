"""Muon for the matrices inside of a model, AdamW for the rest. Jordan 2024, https://kellerjordan.github.io/posts/muon/."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, final

import torch
from torch.optim import Optimizer

from modelry_trainer.distributed.pieces import alongside, is_scarce, put
from modelry_trainer.optimizers.groups import MATRIX
from modelry_trainer.parameters import within


def muon(
    groups: Iterable[Mapping[str, Any]],
    *,
    learning_rate: float,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_steps: int = 5,
    adjust_lr_fn: str = "match_rms_adamw",
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> "MuonAndAdamW":
    """Muon and AdamW with one learning rate.

    Args:
        groups: see `parameter_groups`; where they do not say which parameters are matrices, all with two axes are.
        momentum, nesterov, ns_steps, adjust_lr_fn: see torch.optim.Muon. Steps of the matrices are as large as
            AdamW's by default, so that one learning rate serves both (Liu et al. 2025, arXiv:2502.16982).
        betas, eps: of AdamW.
    """
    within("momentum", momentum, 0.0, 1.0)
    within("ns_steps", ns_steps, 1, math.inf)
    shared = {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
    # torch.optim.Muon and torch.optim.AdamW have an eps each; AdamW's is called as its other users call it.
    return MuonAndAdamW(groups, learning_rate=learning_rate, matrices=shared, rest={"betas": betas, "eps": eps})


@final
class MuonAndAdamW(Optimizer):
    """One optimizer with groups of two kinds, each moved by the one of torch's two optimizers that it belongs to.

    The two work on the very groups and states of this one, so a schedule, a state dict or a look at `param_groups`
    finds everything here.
    """

    def __init__(
        self,
        groups: Iterable[Mapping[str, Any]],
        *,
        learning_rate: float,
        matrices: Mapping[str, Any],
        rest: Mapping[str, Any],
    ) -> None:
        divided = [part for group in groups for part in _divided(group)]
        super().__init__(divided, {"lr": learning_rate, "weight_decay": 0.0})
        self._matrices = _inner(torch.optim.Muon, self._of(True), {"lr": learning_rate, **matrices})
        self._rest = _inner(torch.optim.AdamW, self._of(False), {"lr": learning_rate, **rest})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # two overloads there
        """Move every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for inner, kind in ((self._matrices, True), (self._rest, False)):
            if inner is not None:
                # Loading a state dict makes new groups and states; the inner ones are to be the same objects.
                inner.param_groups, inner.state = self._of(kind), self.state
                if kind:
                    inner.param_groups = [self._without_scarce(group) for group in inner.param_groups]
                inner.step()
        return loss

    def _without_scarce(self, group: dict[str, Any]) -> dict[str, Any]:
        """Move the matrices of a group that not every process has some of, and return the group without them."""
        scarce = [one for one in group["params"] if is_scarce(one)]
        for parameter in scarce:
            if parameter.grad is not None:
                move_whole(parameter, parameter.grad, self.state[parameter], group)
        return {**group, "params": [one for one in group["params"] if not is_scarce(one)]} if scarce else group

    def _of(self, kind: bool) -> list[dict[str, Any]]:
        return [group for group in self.param_groups if group[MATRIX] is kind]


def move_whole(parameter: Any, grad: Any, state: dict[str, Any], group: Mapping[str, Any]) -> None:
    """Every process computes the whole step, with torch's own Muon, of which the momentum has been taken before; torch
    has no way to add what is whole to what is divided so."""
    if "momentum_buffer" not in state:
        state["momentum_buffer"] = torch.zeros_like(grad)
    average: Any = state["momentum_buffer"]
    put(average.lerp(grad, 1 - group["momentum"]), average)
    update: Any = grad.lerp(average, group["momentum"]) if group["nesterov"] else average
    step = torch.zeros(parameter.shape, dtype=parameter.dtype, device=parameter.device, requires_grad=True)
    step.grad = update.full_tensor()
    said = {key: group[key] for key in ("lr", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn")}
    torch.optim.Muon([step], momentum=0.0, nesterov=False, weight_decay=0.0, **said).step()
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    for here, there in alongside(parameter, step.detach()):
        here.add_(there)


def _divided(group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One group of matrices and one of others, with `MATRIX` a single truth."""
    parameters = list(group["params"])
    said = group.get(MATRIX, [parameter.dim() == 2 for parameter in parameters])
    paired = sorted(zip(said, parameters, strict=True), key=lambda pair: not pair[0])  # stable: order is kept within
    for kind, members in groupby(paired, key=lambda pair: pair[0]):
        yield {**group, "params": [parameter for _, parameter in members], MATRIX: bool(kind)}


def _inner(
    make: Callable[..., Optimizer], groups: list[dict[str, Any]], defaults: Mapping[str, Any]
) -> Optimizer | None:
    """torch's optimizer over these very groups, which get what they lack from its defaults."""
    if not groups:
        return None
    made = make([{"params": group["params"]} for group in groups], **defaults)
    for group, complete in zip(groups, made.param_groups, strict=True):
        for key, value in complete.items():
            group.setdefault(key, value)
    return made
