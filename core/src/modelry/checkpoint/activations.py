"""Bringing what a part of a model computes with to the device that the part is on."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from modelry.checkpoint.parts import blocks
from modelry.checkpoint.placement import Placement


def move_activations(model: nn.Module, placement: Placement) -> None:
    """Have every part bring its inputs to the device that computes it, when there is more than one.

    A module whose parts are divided computes between them at one place, its home: where its own tensors lie, else where
    its first part does. It brings its inputs there, and what its parts say comes back there. Layers hand on to the next
    one and bring nothing back, and neither do heads, whose scores are large.
    """
    computing = placement.computing()
    if len(set(computing.values())) < 2:
        return
    modules, found = dict(model.named_modules()), dict(blocks(model))
    homes = _homes(found, placement)
    for path, home in homes.items():
        modules[path].register_forward_pre_hook(_Mover(home), with_kwargs=True)
    for path in sorted((found.keys() | computing.keys()) - homes.keys()):
        if path not in modules:
            continue
        device, (above, _, _) = placement.computing_device(path), path.rpartition(".")
        modules[path].register_forward_pre_hook(_Mover(device), with_kwargs=True)
        home = homes.get(above, placement.computing_device(above))
        if home != device and _comes_back(path, found, modules):
            modules[path].register_forward_hook(_Returner(home))


def _homes(found: Mapping[str, bool], placement: Placement) -> dict[str, torch.device]:
    """Path of each module that is divided to its home."""
    homes: dict[str, torch.device] = {}
    for path, _ in sorted(found.items(), key=lambda item: not item[1]):  # a module's own tensors come first
        above = path.rpartition(".")[0]
        homes.setdefault(above, placement.computing_device(path))
    for path in found:
        above = path.rpartition(".")[0]
        while above:
            above, below = above.rpartition(".")[0], above
            homes.setdefault(above, homes[below])
    return homes


def _comes_back(path: str, found: Mapping[str, bool], modules: Mapping[str, nn.Module]) -> bool:
    """Whether what a part says is needed at home: not of layers, and of the whole model's parts not behind layers."""
    above = path.rpartition(".")[0]
    if isinstance(modules[above], nn.ModuleList | nn.ModuleDict | nn.Sequential):
        return False
    if above or path not in found or any(own and "." not in one for one, own in found.items()):
        return True
    return not any("." in earlier for earlier in list(found)[: list(found).index(path)])


class _Mover:
    """Brings a module's inputs to its device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, module: nn.Module, inputs: Any, named: Any) -> Any:
        return self.moved(inputs), self.moved(named)

    def moved(self, value: Any) -> Any:
        """The same with all tensors on the device."""
        if isinstance(value, Tensor):
            # into the CPU's memory a copy that nobody waits for is read before it is there
            return value.to(self.device, non_blocking=self.device.type != "cpu")
        if type(value) in (tuple, list):
            there = [self.moved(inner) for inner in value]
            same = all(one is other for one, other in zip(there, value, strict=True))
            return value if same else type(value)(there)  # a list that the module fills is the caller's own
        if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple; a torch.Size stays as it is
            return type(value)(*(self.moved(inner) for inner in value))
        if type(value) is dict:
            return {key: self.moved(inner) for key, inner in value.items()}
        to = getattr(value, "to", None)
        return to(self.device) if callable(to) and not isinstance(value, nn.Module) else value


class _Returner(_Mover):
    """Brings what a module says to a device."""

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        return self.moved(output)
