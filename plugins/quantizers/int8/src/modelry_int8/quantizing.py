"""The int8 scheme: which layers it replaces, and how their tensors are packed."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from torch import Tensor, dtype, nn

from modelry.packed.int8_linear import Int8Linear
from modelry.packed.int8_packing import pack_rows
from modelry.packed.replacing import found_layers, packed_in_file, refuse_packed
from modelry.quantization import Quantizer
from modelry_int8.parameters import Int8Parameters

if TYPE_CHECKING:
    from modelry.checkpoint.shards import Checkpoint

MARKS = ("weight_scale",)


class Int8Quantizer(Quantizer):
    """Packs linear layers row by row."""

    method = "int8"
    parameters: Int8Parameters

    _stored: Collection[str] = ()

    def begin(self, checkpoint: "Checkpoint", dtype: dtype) -> None:
        """Remember names: a packed file says itself which layers it has packed."""
        self._stored = tuple(checkpoint.names())

    def check(self, model: nn.Module) -> None:
        """Refuse a model that is packed another way.

        Raises:
            QuantizationError: config.json says another quant_method, or a layer is packed already.
        """
        refuse_packed(model, self.method, self.parameters.modules_to_not_convert)

    def swap(self, model: nn.Module) -> None:
        """Replace linear layers by packed ones: those that the file has packed, or all that are not kept."""
        packed = packed_in_file(model, self._stored, marks=MARKS, method=self.method)
        self._stored = ()
        for name, layer in found_layers(model, [] if packed else self.parameters.modules_to_not_convert):
            if packed and name not in packed:
                continue
            model.set_submodule(name, Int8Linear(layer.in_features, layer.out_features, bias=layer.bias))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes integers and scales; a bias stays."""
        if not name.endswith(".weight"):
            return None
        integers, scale = pack_rows(tensor, name=name)
        return {name: integers, f"{name}_scale": scale}
