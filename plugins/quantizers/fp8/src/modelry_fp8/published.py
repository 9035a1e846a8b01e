"""What a published file has for a layer in e4m3, held against the model and against quantization_config.

I input width   O output width
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import nn

from modelry.checkpoint.dtypes import dtype_name
from modelry.checkpoint.naming import names_in
from modelry.errors import QuantizationError
from modelry.model import PreTrainedModel
from modelry.packed.replacing import of_another_head
from modelry.packed.scaled_packing import E4M3, blocks
from modelry_fp8.parameters import Fp8Parameters

if TYPE_CHECKING:
    from modelry.checkpoint.reader import TensorInfo

SCALE = "weight_scale_inv"
"""Of the weight, as DeepSeek publishes it: what numbers are multiplied with, in spite of its name."""
SCALES = (SCALE, "weight_scale")
INPUT_SCALES = ("activation_scale", "input_scale")
"""Of activations in the static scheme; kept for other readers, since products here do not round activations by them."""
SCALE_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float8_e8m0fnu)


@dataclass(frozen=True)
class StoredLayer:
    """One layer in e4m3."""

    block: tuple[int, int]
    """Outputs and inputs that share a scale."""
    scale_name: str = SCALE
    scale_shape: tuple[int, ...] | None = None
    """None: as many as there are blocks."""
    scale_dtype: torch.dtype = torch.float32
    input_scales: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Name to shape."""


def stored_layers(
    model: nn.Module, tensors: "Mapping[str, TensorInfo]", parameters: Fp8Parameters
) -> dict[str, StoredLayer]:
    """The layers whose weights are stored in e4m3, by name in the model.

    Raises:
        QuantizationError: one is no linear layer, lacks its scale, or has one that is not as the configuration says.
    """
    if not isinstance(model, PreTrainedModel):
        return {}
    ours = {name: tensors[stored] for stored, name in names_in(model, tensors.keys()).items()}
    modules = dict(model.named_modules())
    found = {}
    for weight_name, info in ours.items():
        name, _, part = weight_name.rpartition(".")
        if part != "weight" or info.dtype != dtype_name(E4M3) or of_another_head(model, name):
            continue
        layer = modules.get(name)
        if not isinstance(layer, nn.Linear):
            there = "nothing" if layer is None else f"a {type(layer).__name__}"
            raise QuantizationError(
                f"{weight_name} is stored in e4m3, and {type(model).__name__} has {there} there; linear layers are read"
            )
        if info.shape == (layer.out_features, layer.in_features):  # else the loader says so
            found[name] = _stored_layer(name, layer, ours, parameters)
        else:
            found[name] = StoredLayer(block=parameters.weight_block_size or (1, layer.in_features))
    return found


def _stored_layer(
    name: str, layer: nn.Linear, tensors: "Mapping[str, TensorInfo]", parameters: Fp8Parameters
) -> StoredLayer:
    scale_name = next((one for one in SCALES if f"{name}.{one}" in tensors), None)
    if scale_name is None:
        raise QuantizationError(f"{name}.weight is stored in e4m3 without a {' or '.join(SCALES)}")
    scale = tensors[f"{name}.{scale_name}"]
    dtype = next((one for one in SCALE_DTYPES if dtype_name(one) == scale.dtype), None)
    if dtype is None:
        raise QuantizationError(
            f"{name}.{scale_name} is {scale.dtype} in the checkpoint, and not "
            f"{', '.join(map(dtype_name, SCALE_DTYPES))}"
        )
    input_scales = {part: tensors[f"{name}.{part}"].shape for part in INPUT_SCALES if f"{name}.{part}" in tensors}
    if parameters.activation_scheme == "static" and not input_scales:
        raise QuantizationError(
            f"quantization_config says activation_scheme static, and {name} has no {' or '.join(INPUT_SCALES)}"
        )
    block = _block(name, scale_name, scale.shape, layer, parameters.weight_block_size)
    return StoredLayer(block, scale_name, scale.shape, dtype, input_scales)


def _block(
    name: str, scale_name: str, shape: tuple[int, ...], layer: nn.Linear, said: tuple[int, int] | None
) -> tuple[int, int]:
    outputs, inputs = layer.out_features, layer.in_features
    if said is not None:
        expected = blocks(outputs, said[0]), blocks(inputs, said[1])
        if shape != expected:
            raise QuantizationError(
                f"{name}.{scale_name} is {shape} in the checkpoint; quantization_config says weight_block_size "
                f"{list(said)}, which makes it {expected} for {inputs} inputs and {outputs} outputs"
            )
        return said
    if prod(shape) == 1:
        return outputs, inputs
    if shape in ((outputs,), (outputs, 1)):
        return 1, inputs
    raise QuantizationError(
        f"{name}.{scale_name} is {shape} in the checkpoint; without a weight_block_size it is one scale, or one for "
        f"each of {outputs} outputs. Write the weight_block_size that the file was made with into quantization_config"
    )
