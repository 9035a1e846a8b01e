"""Hooks of other packages: accelerate's bring tensors when they are needed and leave none in the modules, PEFT's know
rows."""

from functools import partial

import torch
from torch import nn


def computing_device(model: nn.Module) -> torch.device:
    """Where the first parameter is; where a hook of accelerate keeps it elsewhere, the device that computes it."""
    first = next(model.parameters()).device
    if first.type == "meta":
        for module in model.modules():
            found = getattr(module.__dict__.get("_hf_hook"), "execution_device", None)
            if found is not None:
                return torch.device(found)
    return first


def names_rows(model: nn.Module) -> bool:
    """Whether hooks in front of layers know each row of the batch by its place, as PEFT's do with adapter_names: the
    rows must then stay where they are, all of them."""
    hooks = (hook for module in model.modules() for hook in module._forward_pre_hooks.values())
    return any(isinstance(hook, partial) and "adapter_names" in hook.keywords for hook in hooks)
