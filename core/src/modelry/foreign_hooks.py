"""Models whose tensors a package brings when they are needed: accelerate's hooks leave none in the modules."""

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
