"""Bringing what a part of a model computes with to the device that the part is on."""

from typing import Any

import torch
from torch import Tensor, nn

from modelry.checkpoint.parts import blocks
from modelry.checkpoint.placement import Placement


def move_activations(model: nn.Module, placement: Placement) -> None:
    """Have every part bring its inputs to the device that computes it, when there is more than one."""
    computing = placement.computing()
    if len(set(computing.values())) < 2:
        return
    modules = dict(model.named_modules())
    for path in sorted({path for path, _ in blocks(model)} | computing.keys() - {""}):
        if path in modules:
            modules[path].register_forward_pre_hook(_Mover(placement.computing_device(path)), with_kwargs=True)


class _Mover:
    """Brings a module's inputs to its device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, module: nn.Module, inputs: Any, named: Any) -> Any:
        return self._moved(inputs), self._moved(named)

    def _moved(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(self.device, non_blocking=True)
        if type(value) in (tuple, list):
            return type(value)(self._moved(inner) for inner in value)
        if isinstance(value, tuple):  # a named tuple
            return type(value)(*(self._moved(inner) for inner in value))
        if type(value) is dict:
            return {key: self._moved(inner) for key, inner in value.items()}
        to = getattr(value, "to", None)
        return to(self.device) if callable(to) and not isinstance(value, nn.Module) else value
