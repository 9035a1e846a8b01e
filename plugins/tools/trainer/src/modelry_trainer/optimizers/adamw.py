"""AdamW and SGD as torch has them. Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

Groups = Iterable[Mapping[str, Any]]


def adamw(
    groups: Groups,
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    amsgrad: bool = False,
) -> torch.optim.AdamW:
    """AdamW, one operation for many tensors where the device has it."""
    return torch.optim.AdamW(_as_dicts(groups), lr=learning_rate, betas=betas, eps=eps, amsgrad=amsgrad)


def adamw_fused(
    groups: Groups,
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    amsgrad: bool = False,
) -> torch.optim.AdamW:
    """AdamW, the whole update of a tensor in one pass over its memory."""
    return torch.optim.AdamW(_as_dicts(groups), lr=learning_rate, betas=betas, eps=eps, amsgrad=amsgrad, fused=True)


def sgd(
    groups: Groups, *, learning_rate: float, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False
) -> torch.optim.SGD:
    """Gradient descent, with momentum if asked for."""
    return torch.optim.SGD(
        _as_dicts(groups), lr=learning_rate, momentum=momentum, dampening=dampening, nesterov=nesterov
    )


def _as_dicts(groups: Groups) -> list[dict[str, Any]]:
    return [dict(group) for group in groups]
