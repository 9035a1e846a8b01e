"""Parts of a model that a checkpoint does not have: a new head starts as that of a new model does."""

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from torch import nn

from modelry.checkpoint.placement import Placement

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def make(model: "PreTrainedModel", names: Collection[str], *, dtype: torch.dtype, placement: Placement) -> None:
    """Give the named parameters and buffers, now on the meta device, the values they have in a new model."""
    by_module: dict[str, set[str]] = defaultdict(set)
    for name in names:
        path, _, attribute = name.rpartition(".")
        by_module[path].add(attribute)
    for path, attributes in by_module.items():
        module = model.get_submodule(path)
        prefix = f"{path}." if path else ""
        kept = {name: value for name, value in module._parameters.items() if name not in attributes}
        for attribute in attributes:
            _materialise(module, attribute, dtype, placement.device_of(prefix + attribute))
        for name, value in kept.items():  # a module half of which was loaded: its loaded half must not be made anew
            module._parameters[name] = None if value is None else nn.Parameter(value.detach().clone())
        with torch.no_grad():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            model.init_weights(module)
        module._parameters.update(kept)


def _materialise(module: nn.Module, attribute: str, dtype: torch.dtype, device: torch.device) -> None:
    """Zeros, for what neither reset_parameters nor init_weights fills."""
    old = module._parameters.get(attribute, module._buffers.get(attribute))
    assert old is not None
    values = torch.zeros(old.shape, dtype=dtype if old.is_floating_point() else old.dtype, device=device)
    if attribute in module._parameters:
        module._parameters[attribute] = nn.Parameter(values, requires_grad=old.requires_grad)
    else:
        module._buffers[attribute] = values
