"""The fp8 scheme: which layers a file or the user wants packed, and how float weights become e4m3.

I input width   O output width
"""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modelry.errors import ModelryWarning, QuantizationError
from modelry.packed.replacing import found_layers, refuse_packed
from modelry.packed.scaled_linear import ScaledLinear
from modelry.packed.scaled_packing import E4M3, pack_blocks, refuse_no_numbers
from modelry.quantization import Quantizer
from modelry_fp8.parameters import Fp8Parameters
from modelry_fp8.published import SCALE, StoredLayer, stored_layers

if TYPE_CHECKING:
    from modelry.checkpoint.reader import TensorInfo
    from modelry.checkpoint.shards import Checkpoint


class Fp8Quantizer(Quantizer):
    """Linear layers in e4m3."""

    method = "fp8"
    parameters: Fp8Parameters

    _tensors: "Mapping[str, TensorInfo] | None" = None
    _stored: Mapping[str, StoredLayer] | None = None

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        self._tensors = {name: checkpoint.info(name) for name in checkpoint.names()}

    def check(self, model: nn.Module) -> None:
        """Hold the configuration against the tensors that are stored.

        Raises:
            QuantizationError: the model is packed another way, or file and configuration contradict each other.
        """
        said = getattr(getattr(model, "config", None), "quantization_config", None) or {}
        self._stored = stored_layers(model, self._tensors or {}, self.parameters)
        if said.get("quant_method") == self.method and not self._stored:
            raise QuantizationError(
                f"config.json says quant_method fp8, and no weight of {type(model).__name__} is stored in e4m3"
            )
        if self._stored and said.get("quant_method") is None:
            raise QuantizationError(
                f"{next(iter(self._stored))}.weight is stored in e4m3 already, and config.json has no "
                "quantization_config: give it the one that the file was made with"
            )
        if not self._stored:
            refuse_packed(model, self.method, self.parameters.keep)

    def swap(self, model: nn.Module) -> None:
        """Replace the layers that the file has in e4m3; without any, those that are to be packed."""
        if self._stored:
            for name, stored in self._stored.items():
                self._replace(model, name, stored)
            return
        for name, layer in found_layers(model, self.parameters.keep):
            self._replace(model, name, StoredLayer(block=self._block(layer.in_features)))

    def _block(self, inputs: int) -> tuple[int, int]:
        return self.parameters.weight_block_size or (1, inputs)

    def _replace(self, model: nn.Module, name: str, stored: StoredLayer) -> None:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        packed = ScaledLinear(
            layer.in_features,
            layer.out_features,
            dtype=E4M3,
            block=stored.block,
            bias=layer.bias,
            scale_name=stored.scale_name,
            scale_shape=stored.scale_shape,
            scale_dtype=stored.scale_dtype,
            quantizes_input=self.parameters.activation_scheme == "dynamic",
        )
        for part, shape in stored.input_scales.items():
            packed.register_buffer(part, torch.empty(shape))
        model.set_submodule(name, packed)

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes numbers and scales; a bias stays."""
        layer, _, part = name.rpartition(".")
        if part != "weight":
            return None
        numbers, scale = pack_blocks(tensor, block=self._block(tensor.shape[1]), name=name)
        return {name: numbers, f"{layer}.{SCALE}": scale}

    def finish(self, model: nn.Module) -> None:
        """Look for values that are no numbers, and say once where products are not of e4m3 numbers.

        Raises:
            QuantizationError: a stored weight has a value that is no number.
        """
        layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, ScaledLinear)}
        for name, layer in layers.items() if self._stored else ():
            refuse_no_numbers(layer.numbers, name=f"{name}.weight")
        self._tensors = self._stored = None
        whole = [layer for layer in layers.values() if not layer.runs_on_hardware()]
        if whole:
            device = whole[0].numbers.device.type
            warnings.warn(
                f"fp8: {len(whole)} of {len(layers)} layers have their weights made whole for each product: {device} "
                "has no product for their e4m3 numbers. They stay packed; activations are not rounded to e4m3",
                ModelryWarning,
                stacklevel=2,
            )

    def to_config(self) -> dict[str, Any]:
        """Other readers take blocks of 128 where weight_block_size is missing, so it is written without blocks too."""
        return {"weight_block_size": None, **super().to_config()}
