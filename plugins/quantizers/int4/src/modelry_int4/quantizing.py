"""The int4 scheme: which layers it replaces, and how their tensors are packed."""

import warnings
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from torch import Tensor, dtype, nn

from modelry.errors import ModelryWarning, QuantizationError
from modelry.packed.int4_linear import Int4Linear
from modelry.packed.int4_packing import pack_groups
from modelry.packed.replacing import found_layers, in_short, packed_in_file, refuse_packed
from modelry.quantization import Quantizer
from modelry_int4.parameters import Int4Parameters

if TYPE_CHECKING:
    from modelry.checkpoint.shards import Checkpoint

SMALLEST = 32
"""Inputs of a group."""
MARKS = ("weight_scale_and_zero",)


class Int4Quantizer(Quantizer):
    """Packs linear layers group by group."""

    method = "int4"
    parameters: Int4Parameters

    _stored: Collection[str] = ()

    def begin(self, checkpoint: "Checkpoint", dtype: dtype) -> None:
        """Remember names: a packed file says itself which layers it has packed."""
        self._stored = tuple(checkpoint.names())

    def check(self, model: nn.Module) -> None:
        """Refuse a model that is packed another way, and one without a layer that fits.

        Raises:
            QuantizationError: config.json says another quant_method, a layer is packed already, or none fits.
        """
        refuse_packed(model, self.method, self.parameters.modules_to_not_convert)
        layers = dict(found_layers(model, self.parameters.modules_to_not_convert))
        if layers and not any(self._fits(layer) for layer in layers.values()):
            widths = sorted({layer.in_features for layer in layers.values()})
            size = self.parameters.group_size
            raise QuantizationError(
                f"group_size {size} divides the inputs of no layer: they have {', '.join(map(str, widths))} inputs. "
                f"Take {'a smaller group_size, or ' if size > SMALLEST else ''}another scheme"
            )

    def _fits(self, layer: nn.Linear) -> bool:
        return layer.in_features % self.parameters.group_size == 0

    def swap(self, model: nn.Module) -> None:
        """Replace linear layers by packed ones: those that the file has packed, or all that are not kept; one warning
        names those that do not fit.

        Raises:
            QuantizationError: the file has a layer packed whose inputs are no multiple of group_size.
        """
        size = self.parameters.group_size
        in_file = packed_in_file(model, self._stored, marks=MARKS, method=self.method)
        self._stored = ()
        layers = dict(found_layers(model, self.parameters.modules_to_not_convert))
        unfit = [name for name, layer in layers.items() if not self._fits(layer) and name not in in_file]
        if in_file:
            layers = {name: layer for name, layer in found_layers(model, []) if name in in_file}
        for name, layer in layers.items():
            if name in unfit:
                continue
            if not self._fits(layer):
                raise QuantizationError(
                    f"{name} is packed in the checkpoint, and its {layer.in_features} inputs are no multiple of the "
                    f"group_size {size} that quantization_config says"
                )
            packed = Int4Linear(layer.in_features, layer.out_features, group_size=size, bias=layer.bias)
            model.set_submodule(name, packed)
        if unfit:
            warnings.warn(
                f"int4: layers whose inputs are no multiple of group_size {size} stay as they are: {in_short(unfit)}",
                ModelryWarning,
                stacklevel=2,
            )

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes integers, scales and zeros; a bias stays."""
        if not name.endswith(".weight"):
            return None
        integers, scale_and_zero = pack_groups(tensor, group_size=self.parameters.group_size, name=name)
        return {name: integers, f"{name}_scale_and_zero": scale_and_zero}

    def finish(self, model: nn.Module) -> None:
        """Bring every layer's integers into the layout of its device's kernel, one layer at a time.

        They are written where they lay: a result kept between two large intermediate ones would pin the heap's height.
        """
        for layer in model.modules():
            if isinstance(layer, Int4Linear):
                room = layer.weight
                layer.lay_out()
                if room.dtype == layer.weight.dtype and room.numel() == layer.weight.numel():
                    layer._buffers["weight"] = room.view(layer.weight.shape).copy_(layer.weight)
