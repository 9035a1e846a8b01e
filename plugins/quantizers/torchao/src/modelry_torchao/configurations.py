"""From parameters to torchao's configuration, and from a weight to what torchao makes of it.

I input width   O output width
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torchao import quantization as ao
from torchao.core.config import config_from_dict

from modelry.errors import QuantizationError
from modelry_torchao.parameters import NAMES, TorchAoParameters


def configuration(parameters: TorchAoParameters) -> Any:
    """torchao's own object.

    Raises:
        QuantizationError: torchao has no such configuration, or it cannot be told this.
    """
    said = parameters.quant_type
    try:
        if isinstance(said, str):
            made: Any = getattr(ao, NAMES[said])(**parameters.quant_type_kwargs)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of an older version: refused below, or read as the present one
                made = config_from_dict(dict(said.get("default", said)))
    except (TypeError, ValueError, AttributeError, AssertionError, KeyError) as error:
        raise QuantizationError(
            f"torchao {version('torchao')} makes no configuration of quant_type {said!r} and quant_type_kwargs "
            f"{parameters.quant_type_kwargs!r}: {error}"
        ) from error
    if hasattr(made, "set_inductor_config"):
        made.set_inductor_config = False  # loading a model changes no setting of the process
    return made


@dataclass(frozen=True)
class Form:
    """How a weight of one size is kept: the tensor's class, and what it is told beside its parts."""

    kind: Any
    told: Any
    tensors: Mapping[str, tuple[tuple[int, ...], torch.dtype]]
    """Shape and dtype by the name of a part ("qdata")."""

    def whole(self, parts: Mapping[str, Tensor], *, outputs: int, inputs: int) -> Tensor:
        """The (O, I) tensor that computes."""
        made: Tensor = self.kind.__tensor_unflatten__(dict(parts), self.told, (outputs, inputs), (inputs, 1))
        return made


def convert(weight: Tensor, config: Any) -> tuple[Form, dict[str, Tensor]]:
    """What torchao makes of an (O, I) weight, in parts.

    Raises:
        QuantizationError: it cannot, on this device or in these sizes.
    """
    layer = nn.Linear(1, 1, bias=False, device="meta")
    layer.in_features, layer.out_features = weight.shape[1], weight.shape[0]
    layer.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    holder = nn.Sequential(layer)
    try:
        ao.quantize_(holder, config)
    except (NotImplementedError, RuntimeError, AssertionError, ImportError, ValueError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise QuantizationError(
            f"torchao {version('torchao')} cannot do {type(config).__name__} for a weight of {tuple(weight.shape)} in "
            f"{weight.dtype} on {weight.device.type}: {error}. The schemes int4 and int8 need no package"
        ) from error
    made: Any = layer.weight
    if not hasattr(made, "__tensor_flatten__"):
        outputs, inputs = weight.shape
        raise QuantizationError(
            f"torchao's {type(config).__name__} leaves a weight of {outputs} outputs and {inputs} inputs as it is: "
            "take a group size that divides the inputs, or name the layer in modules_to_not_convert"
        )
    names, told = made.__tensor_flatten__()
    parts = {name: getattr(made, name) for name in names}
    shapes = {name: (tuple(part.shape), part.dtype) for name, part in parts.items()}
    return Form(type(made), told, shapes), parts
