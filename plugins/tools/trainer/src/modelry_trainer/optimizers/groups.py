"""Which parameters decay towards zero, and which are matrices inside of a model."""

import re
from collections.abc import Collection
from typing import Any

from torch import Tensor, nn

MATRIX = "matrix"
"""Key of a group: for each of its parameters, whether it is a matrix that maps hidden states to hidden states."""


def parameter_groups(
    model: nn.Module, *, weight_decay: float, decayed: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Trainable parameters in two groups: those that decay, and those that do not.

    Args:
        decayed: names of those that decay; all but biases and norms when None.

    Returns:
        One or two groups with "params", "weight_decay" and "matrix" (see `MATRIX`), in the model's order.
    """
    pulled = set(decayed_names(model) if decayed is None else decayed)
    tables = _tables(model)
    groups: list[dict[str, Any]] = []
    for decays in (True, False):
        chosen = [
            (name, parameter)
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and (name in pulled) == decays
        ]
        if chosen:
            groups.append(
                {
                    "params": [parameter for _, parameter in chosen],
                    "weight_decay": weight_decay if decays else 0.0,
                    MATRIX: [parameter.dim() == 2 and id(parameter) not in tables for _, parameter in chosen],
                }
            )
    return groups


_NORM = re.compile(r"(?<!weight)norm", re.IGNORECASE)
"""Classes of norms; a convolution whose weight is kept as length and direction (WeightNormConv1d) is none."""


def decayed_names(model: nn.Module) -> list[str]:
    """Parameters that weight decay pulls towards zero: no biases, tables of biases included, and no norms."""
    still = _undecayed(model)
    return [name for name, _ in model.named_parameters() if name not in still]


def _undecayed(model: nn.Module) -> set[str]:
    found = set()
    for path, module in model.named_modules():
        norm = _NORM.search(type(module).__name__) is not None
        for name, _ in module.named_parameters(recurse=False):
            full = f"{path}.{name}" if path else name
            if norm or "bias" in full:
                found.add(full)
    return found


def _tables(model: nn.Module) -> set[int]:
    """Embeddings, and the heads that score vocabularies and labels: matrices with an axis that is a list of things."""
    found: set[Tensor] = {
        parameter
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters(recurse=False)
    }
    body = getattr(model, "base_model", model)
    if isinstance(body, nn.Module) and body is not model:
        inside = {id(parameter) for parameter in body.parameters()}
        found |= {parameter for parameter in model.parameters() if id(parameter) not in inside}
    return {id(parameter) for parameter in found}
