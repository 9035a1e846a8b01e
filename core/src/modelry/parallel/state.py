"""Whether a model is spread over processes. Asked of every model, so nothing of torch.distributed is needed here."""

from torch import nn


def is_divided(model: nn.Module) -> bool:
    """Whether a parameter is a DTensor."""
    return any(hasattr(parameter, "placements") for parameter in model.parameters())
