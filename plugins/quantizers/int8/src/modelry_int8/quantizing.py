"""The int8 scheme: which layers it replaces, and how their tensors are packed."""

from collections.abc import Mapping

from torch import Tensor, nn

from modelry.packed.int8_linear import Int8Linear
from modelry.packed.int8_packing import pack_rows
from modelry.packed.replacing import found_layers, refuse_packed
from modelry.quantization import Quantizer
from modelry_int8.parameters import Int8Parameters


class Int8Quantizer(Quantizer):
    """Packs linear layers row by row."""

    method = "int8"
    parameters: Int8Parameters

    def check(self, model: nn.Module) -> None:
        """Refuse a model that is packed another way.

        Raises:
            QuantizationError: config.json says another quant_method, or a layer is packed already.
        """
        refuse_packed(model, self.method, self.parameters.modules_to_not_convert)

    def swap(self, model: nn.Module) -> None:
        """Replace linear layers by packed ones."""
        for name, layer in found_layers(model, self.parameters.modules_to_not_convert):
            model.set_submodule(name, Int8Linear(layer.in_features, layer.out_features, bias=layer.bias))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes integers and scales; a bias stays."""
        if not name.endswith(".weight"):
            return None
        integers, scale = pack_rows(tensor, name=name)
        return {name: integers, f"{name}_scale": scale}
