"""The outputs of a model as predictions, and batches on a device."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelry_trainer.accumulation import unwrapped

_STATE = ("past_key_values",)
"""What no metric reads, of models that do not say it themselves."""


def predictions_of(outputs: Any, model: nn.Module, ignored: Sequence[str] | None) -> Any:
    """All outputs but the loss: one as it is, several as a tuple, in the model's order."""
    if isinstance(outputs, Tensor):
        return None if outputs.dim() == 0 else outputs
    if hasattr(outputs, "keys"):
        config = getattr(unwrapped(model), "config", None)
        left_out = {"loss", *(getattr(config, "keys_to_ignore_at_inference", _STATE) if ignored is None else ignored)}
        kept = tuple(outputs[name] for name in outputs.keys() if name not in left_out)  # noqa: SIM118  no mapping
    else:  # a loss, which is one number, comes first where the model made one
        first = outputs[0] if len(outputs) else None
        kept = tuple(outputs[first is None or (isinstance(first, Tensor) and first.dim() == 0) :])
    return kept[0] if len(kept) == 1 else kept or None


def to_device(value: Any, device: torch.device) -> Any:
    """Every tensor of a nested value on the device; mappings become plain dictionaries."""
    if isinstance(value, Tensor):
        # into the CPU's memory a copy that nobody waits for is read before it is there
        return value.to(device, non_blocking=device.type != "cpu")
    if isinstance(value, Mapping):
        return {name: to_device(one, device) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_device(one, device) for one in value)
    return value
