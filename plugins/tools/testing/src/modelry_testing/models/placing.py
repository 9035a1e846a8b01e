"""Layers keep to themselves: whatever brings their weights when their turn comes (FSDP, disks, other packages' hooks)
hears of it by their being called."""

from typing import Any

import pytest
import torch
from torch import nn

from modelry.gradient_checkpointing import layers_of
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject, main_output, same


class _Away:
    """Takes a layer's weights away but for the time in which it runs."""

    def __init__(self, layer: nn.Module) -> None:
        self.called = False
        self._held = [(part._parameters, dict(part._parameters)) for part in layer.modules()]
        layer.register_forward_pre_hook(self._bring)
        layer.register_forward_hook(self._take)
        self._take()

    def _bring(self, *_: object) -> None:
        self.called = True
        for owned, values in self._held:
            owned.update(values)

    def _take(self, *_: object) -> None:
        for owned, values in self._held:
            for name, value in values.items():
                owned[name] = value if value is None else nn.Parameter(value.detach().to("meta"), requires_grad=False)


@torch.inference_mode()
def layers_alone(subject: Subject) -> None:
    """Every layer is called, and nobody else reads its weights."""
    model: Any = subject.model()
    inputs = subject.inputs_of(subject.head)
    expected = main_output(model(**inputs))
    away = {name: _Away(layer) for name, layer in _layers(model).items()}
    if not away:
        pytest.skip(f"{type(model).__name__} has no list of layers")
    try:
        found = main_output(model(**inputs))
    except (RuntimeError, NotImplementedError) as error:
        raise ContractBroken(
            f"{type(model).__name__} uses weights of a layer while the layer does not run ({error}): FSDP, which "
            "gathers them for the layer's forward, would not have them. Use them inside of it"
        ) from error
    idle = [name for name, one in away.items() if not one.called]
    if idle:
        raise ContractBroken(
            f"{type(model).__name__} runs without calling {', '.join(idle[:3])}: what is hooked to layers "
            "(recomputing them, fetching their weights) would do nothing. Give the layer a forward, and call it"
        )
    same(found, expected, tolerance=subject.tolerance, what=f"{type(model).__name__} whose layers' weights come and go")


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(layer)]: layer for layer in layers_of(model) if next(layer.parameters(), None) is not None}
