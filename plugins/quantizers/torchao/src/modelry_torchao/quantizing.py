"""The torchao scheme: which layers it replaces, and how their tensors are packed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.checkpoint.naming import names_in
from modelry.errors import QuantizationError
from modelry.model import PreTrainedModel
from modelry.packed.replacing import found_layers, of_another_head, outside_base_model, refuse_packed
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
        self._stored: list[str] = []

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        """Remember the dtype of scales and products, and names: a packed file says itself what it has packed."""
        self._dtype = dtype
        self._stored = [name for name in checkpoint.names() if name.rpartition(".")[2].startswith(PREFIX)]

    def check(self, model: nn.Module) -> None:
        """See what torchao makes of a weight of each size, before a tensor is read.

        Raises:
            QuantizationError: it cannot, the model is packed another way, or config.json is not as the file is.
        """
        said = getattr(getattr(model, "config", None), "quantization_config", None) or {}
        claimed, stored = said.get("quant_method") == self.method, self._packed_layers(model)
        if claimed and not stored:
            raise QuantizationError(
                f"config.json says quant_method torchao, and no layer of {type(model).__name__} has a {PREFIX}… stored"
            )
        if stored and not claimed:
            raise QuantizationError(
                f"the checkpoint is packed already ({next(iter(stored))}), and config.json has no quantization_config: "
                "give it the one that the file was made with"
            )
        if not claimed and self.parameters.modules_to_not_convert is None:
            kept = outside_base_model(model)  # written down, since other readers leave others by themselves
            self.parameters = self.parameters.model_copy(update={"modules_to_not_convert": kept})
        if not claimed:
            refuse_packed(model, self.method, self.parameters.modules_to_not_convert)
        config = configuration(self.parameters)
        device = "cuda" if torch.cuda.is_available() else "cpu"  # some forms are for one of them only
        for name, layer in self._layers(model):
            size = (layer.out_features, layer.in_features)
            if size not in self._forms:
                try:
                    self._forms[size], _ = convert(torch.ones(size, dtype=self._dtype, device=device), config)
                except QuantizationError as error:
                    raise QuantizationError(f"{name}: {error}") from error

    def swap(self, model: nn.Module) -> None:
        """Replace linear layers by packed ones."""
        for name, layer in self._layers(model):
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
        return {f"{layer}.{PREFIX}{key}": _of_zeros(value) for key, value in parts.items()}

    def _layers(self, model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
        """Those that the file has packed, or all that are to be.

        Raises:
            QuantizationError: what the file has packed is no linear layer here.
        """
        stored = self._packed_layers(model)
        if not stored:
            yield from found_layers(model, self.parameters.modules_to_not_convert)
        modules = dict(model.named_modules())
        for name in stored:
            layer = modules.get(name)
            if not isinstance(layer, nn.Linear):
                raise QuantizationError(f"{name} is packed in the checkpoint, and no linear layer of the model")
            yield name, layer

    def _packed_layers(self, model: nn.Module) -> dict[str, None]:
        """Layers that the file has packed, by their names in this model."""
        if not isinstance(model, PreTrainedModel):
            return {}
        found = dict.fromkeys(name.rpartition(".")[0] for name in names_in(model, self._stored).values())
        return {name: None for name in found if not of_another_head(model, name)}


def _of_zeros(part: Tensor) -> Tensor:
    """A part of a finite weight's. torchao divides a row of zeros by its largest number, which gives none in e4m3."""
    if not part.is_floating_point():
        return part
    return part.where(~part.isnan(), torch.zeros((), dtype=part.dtype, device=part.device))
