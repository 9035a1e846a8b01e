"""Which parameters stay in float32 where a model is loaded or made in a narrower dtype: what families say of theirs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def kept_in_float32(model: nn.Module, names: Iterable[str], dtype: torch.dtype) -> frozenset[str]:
    """Those of the names that are kept, by what the model and the models inside it say, each of its own.

    Args:
        names: of parameters, full.
        dtype: of the rest.
    """
    from modelry.model import PreTrainedModel  # which stands above this room

    found: set[str] = set()
    for path, part in model.named_modules():
        if not isinstance(part, PreTrainedModel):
            continue
        endings = part.keep_in_float32 + (part.keep_from_float16 if dtype is torch.float16 else ())
        if endings:
            inside = f"{path}." if path else ""
            found |= {name for name in names if name.startswith(inside) and name.endswith(endings)}
    return frozenset(found)


def cast_parameters(self: "PreTrainedModel", dtype: torch.dtype) -> None:
    """Change the dtype of floating parameters and stored buffers; buffers that are never stored keep theirs."""
    parameters = {name: one for name, one in self.named_parameters() if one.is_floating_point()}
    kept = kept_in_float32(self, list(parameters), dtype)
    for name, parameter in parameters.items():
        parameter.data = parameter.data.to(torch.float32 if name in kept else dtype)
    for module in self.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point() and name not in module._non_persistent_buffers_set:
                module._buffers[name] = buffer.to(dtype)
