"""The int8 scheme: which layers it replaces, and how their tensors are packed."""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from modelry.errors import QuantizationError
from modelry.model import PreTrainedModel
from modelry.quantization import Quantizer
from modelry_int8.linear import Int8Linear
from modelry_int8.packing import pack_rows
from modelry_int8.parameters import Int8Parameters


def found_layers(model: nn.Module, keep: list[str] | None) -> Iterator[tuple[str, nn.Linear]]:
    """Yield name and layer of every linear layer that is not kept.

    Args:
        keep: full names, last parts of names, or names of modules around the layer; None keeps all outside the base
            model.
    """
    base = model.base_model if isinstance(model, PreTrainedModel) else model
    inside = {id(part) for part in base.modules()}
    for name, part in list(model.named_modules()):
        if not isinstance(part, nn.Linear):
            continue
        if keep is None:
            kept = id(part) not in inside
        else:
            kept = any(name == one or name.endswith(f".{one}") or name.startswith(f"{one}.") for one in keep)
        if not kept:
            yield name, part


class Int8Quantizer(Quantizer):
    """Packs linear layers row by row."""

    method = "int8"
    parameters: Int8Parameters

    def check(self, model: nn.Module) -> None:
        """Refuse a model that is packed another way.

        Raises:
            QuantizationError: config.json says another quant_method, or a layer is packed already.
        """
        said = getattr(model, "config", None)
        method = (getattr(said, "quantization_config", None) or {}).get("quant_method", self.method)
        if method != self.method:
            raise QuantizationError(f"the checkpoint is quantized with {method} already; load it as it is")
        for name, layer in found_layers(model, self.parameters.modules_to_not_convert):
            if not isinstance(layer.weight, nn.Parameter) or not layer.weight.is_floating_point():
                raise QuantizationError(f"{name} is packed already ({type(layer).__name__}) and cannot be packed again")

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
