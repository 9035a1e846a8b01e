"""The torchao scheme: which layers it replaces, and how their tensors are packed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.errors import QuantizationError
from modelry.packed.replacing import found_layers, refuse_packed
from modelry.quantization import Quantizer
from modelry_torchao.ao_linear import PREFIX, AoLinear
from modelry_torchao.configurations import Form, configuration, convert
from modelry_torchao.parameters import TorchAoParameters

if TYPE_CHECKING:
    from modelry.checkpoint.shards import Checkpoint


class TorchAoQuantizer(Quantizer):
    """Packs linear layers with torchao's own function."""

    method = "torchao"
    parameters: TorchAoParameters

    def __init__(self, parameters: TorchAoParameters) -> None:
        super().__init__(parameters)
        self._dtype = torch.float32
        self._forms: dict[tuple[int, int], Form] = {}

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        """Remember the dtype: scales have it, and products run in it."""
        self._dtype = dtype

    def check(self, model: nn.Module) -> None:
        """See what torchao makes of a weight of each size, before a tensor is read.

        Raises:
            QuantizationError: it cannot, or the model is packed another way.
        """
        keep = self.parameters.modules_to_not_convert
        refuse_packed(model, self.method, keep)
        config = configuration(self.parameters)
        device = "cuda" if torch.cuda.is_available() else "cpu"  # some forms are for one of them only
        for name, layer in found_layers(model, keep):
            size = (layer.out_features, layer.in_features)
            if size not in self._forms:
                try:
                    self._forms[size], _ = convert(torch.ones(size, dtype=self._dtype, device=device), config)
                except QuantizationError as error:
                    raise QuantizationError(f"{name}: {error}") from error

    def swap(self, model: nn.Module) -> None:
        """Replace linear layers by packed ones."""
        for name, layer in found_layers(model, self.parameters.modules_to_not_convert):
            form = self._forms[layer.out_features, layer.in_features]
            model.set_submodule(name, AoLinear(layer.in_features, layer.out_features, form=form, bias=layer.bias))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes the parts of torchao's tensor; a bias stays.

        Raises:
            QuantizationError: a value is infinite or no number, or torchao cannot pack on this device.
        """
        layer, _, part = name.rpartition(".")
        if part != "weight":
            return None
        if not torch.isfinite(tensor).all():
            raise QuantizationError(f"{name} has a value that is infinite or no number")
        _, parts = convert(tensor.to(self._dtype), configuration(self.parameters))
        return {f"{layer}.{PREFIX}{key}": value for key, value in parts.items()}
