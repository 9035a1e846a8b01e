"""What processes tell each other in the middle of a forward or backward pass, as functions that know their gradients.

Shoeybi et al. 2019, https://arxiv.org/abs/1909.08053, section 3. Results are the same, bit by bit, in every process.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function
from torch.distributed import ProcessGroup

_entered: tuple[Tensor, ProcessGroup, Tensor] | None = None
"""The last x, group and result of `enter`, until a gradient has come back."""


def enter(x: Tensor, group: ProcessGroup) -> Tensor:
    """What all processes have alike, before each does its own with it: the gradients are added up.

    Layers that read one x one after the other (queries, keys, values; gate and up) get one result, so that their
    gradients are added up at once: two sums a layer instead of five.
    """
    global _entered
    if not (x.requires_grad and torch.is_grad_enabled()):
        return x
    if _entered is None or _entered[0] is not x or _entered[1] is not group:
        _entered = x, group, _Enter.apply(x, group)
    return _entered[2]


def add_up(x: Tensor, group: ProcessGroup) -> Tensor:
    """The sum of what the processes have; each has it. `x` is a fresh result, and may be written over."""
    if x.requires_grad and torch.is_grad_enabled():
        return _AddUp.apply(x, group)  # type: ignore[no-any-return]  # torch's is not annotated
    x = x.detach().contiguous()
    dist.all_reduce(x, group=group)
    return x


def gather(x: Tensor, group: ProcessGroup) -> Tensor:
    """What the processes have, one behind the other along the last dimension; each has all of it."""
    if x.requires_grad and torch.is_grad_enabled():
        return _Gather.apply(x, group)  # type: ignore[no-any-return]  # torch's is not annotated
    return _gathered(x, group)


def own_part(x: Tensor, group: ProcessGroup) -> Tensor:
    """Of what all processes have alike, one's part of the last dimension; the gradients are put together again."""
    if x.requires_grad and torch.is_grad_enabled():
        return _OwnPart.apply(x, group)  # type: ignore[no-any-return]  # torch's is not annotated
    return x.chunk(group.size(), dim=-1)[group.rank()]


def draw_alike(group: ProcessGroup, device: torch.device, generator: torch.Generator | None = None) -> None:
    """Have all processes draw the random numbers that the first one is about to draw.

    Args:
        device: on which they speak with each other.
        generator: one of the caller's, beside torch's own.
    """
    own = [torch.default_generator]
    if device.type != "cpu":
        number = torch.accelerator.current_device_index() if device.index is None else device.index
        own.append(torch.get_device_module(device.type).default_generators[number])
    for one in own if generator is None else [*own, generator]:
        state = one.get_state().to(device)
        dist.broadcast(state, group=group, group_src=0)
        one.set_state(state.cpu())


def _added(x: Tensor, group: ProcessGroup) -> Tensor:
    x = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(x, group=group)
    return x


def _gathered(x: Tensor, group: ProcessGroup) -> Tensor:
    x = x.detach().contiguous()
    parts = [torch.empty_like(x) for _ in range(group.size())]
    dist.all_gather(parts, x, group=group)
    return torch.cat(parts, dim=-1)


class _Enter(Function):
    @staticmethod
    def forward(context: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        context.group = group
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        global _entered
        _entered = None
        return _added(gradients[0], context.group), None


class _AddUp(Function):
    @staticmethod
    def forward(context: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        return _added(x, group)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Gather(Function):
    @staticmethod
    def forward(context: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        context.group = group
        return _gathered(x, group)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        group = context.group
        return gradients[0].chunk(group.size(), dim=-1)[group.rank()].contiguous(), None


class _OwnPart(Function):
    @staticmethod
    def forward(context: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        context.group = group
        return x.chunk(group.size(), dim=-1)[group.rank()].contiguous()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _gathered(gradients[0], context.group), None
