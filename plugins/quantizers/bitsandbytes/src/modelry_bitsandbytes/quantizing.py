"""The bitsandbytes scheme: which layers are packed, in a float checkpoint and in one that was saved packed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.checkpoint.naming import names_in
from modelry.errors import QuantizationError
from modelry.float32_parameters import kept_in_float32
from modelry.model import PreTrainedModel
from modelry.packed.replacing import found_layers, of_another_head, outside_base_model, refuse_packed
from modelry.packed.stored_linear import StoredLinear, StoredTensors
from modelry.quantization import Quantizer
from modelry_bitsandbytes import eight_bits, four_bits
from modelry_bitsandbytes.parameters import BitsAndBytesParameters

if TYPE_CHECKING:
    from modelry.checkpoint.shards import Checkpoint


class BitsAndBytesQuantizer(Quantizer):
    """Packs linear layers with bitsandbytes' own functions."""

    method = "bitsandbytes"
    parameters: BitsAndBytesParameters

    def __init__(self, parameters: BitsAndBytesParameters) -> None:
        super().__init__(parameters)
        self._stored: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        """Remember names, shapes and dtypes: a packed checkpoint says itself which layers it has packed."""
        infos = {name: checkpoint.info(name) for name in checkpoint.names()}
        self._stored = {name: (info.shape, getattr(torch, info.dtype)) for name, info in infos.items()}

    def check(self, model: nn.Module) -> None:
        """Hold config.json against what is stored.

        Raises:
            QuantizationError: only one of both is packed, or packed in another way.
        """
        said = getattr(getattr(model, "config", None), "quantization_config", None) or {}
        claimed, stored = said.get("quant_method") == self.method, self._packed_layers(model)
        if claimed and not stored:
            bits = 4 if self.parameters.load_in_4bit else 8
            raise QuantizationError(
                f"config.json says bitsandbytes in {bits} bits, and no layer in the checkpoint is packed so"
            )
        if not claimed:
            if self.parameters.llm_int8_skip_modules is None:
                skipped = {"llm_int8_skip_modules": _skipped(model)}  # written down: other readers skip others
                self.parameters = self.parameters.model_copy(update=skipped)
            refuse_packed(model, self.method, self.parameters.llm_int8_skip_modules)
        if stored and not claimed:
            raise QuantizationError(
                f"the checkpoint is packed already ({next(iter(stored))}); load it without quantization="
            )

    def swap(self, model: nn.Module) -> None:
        """Replace the layers that the file has packed, or all that are not to be skipped."""
        stored = self._packed_layers(model)
        if stored:
            modules = dict(model.named_modules())
            for name, tensors in stored.items():
                layer = modules.get(name)
                if not isinstance(layer, nn.Linear):
                    raise QuantizationError(f"{name} is packed in the checkpoint, and no linear layer of the model")
                model.set_submodule(name, self._packed(layer, tensors))
            return
        for name, layer in found_layers(model, self.parameters.llm_int8_skip_modules):
            model.set_submodule(name, self._packed(layer, self._kept(layer)))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes what bitsandbytes makes of it; a bias stays."""
        layer, _, part = name.rpartition(".")
        if part != "weight":
            return None
        if self.parameters.load_in_8bit:
            parts = eight_bits.pack(tensor, name=name)
        else:
            double = self.parameters.bnb_4bit_use_double_quant
            parts = four_bits.pack(tensor, table=self._table, double=double, name=name)
        return {f"{layer}.{part}": packed for part, packed in parts.items()}

    def finish(self, model: nn.Module) -> None:
        """Hold every layer against what the file has and says of it.

        Raises:
            QuantizationError: it is another layer's, or damaged.
        """
        self._stored = {}
        for name, layer in model.named_modules():
            if isinstance(layer, four_bits.FourBitLinear | eight_bits.EightBitLinear):
                try:
                    layer.state() if isinstance(layer, four_bits.FourBitLinear) else layer.hold()
                except QuantizationError as error:
                    raise QuantizationError(f"{name}: {error}") from error

    @property
    def _table(self) -> str:
        return self.parameters.bnb_4bit_quant_type

    def _kept(self, layer: nn.Linear) -> StoredTensors:
        if self.parameters.load_in_8bit:
            return eight_bits.kept(layer.out_features, layer.in_features)
        double = self.parameters.bnb_4bit_use_double_quant
        return four_bits.kept(layer.out_features, layer.in_features, table=self._table, double=double)

    def _packed(self, layer: nn.Linear, tensors: StoredTensors) -> StoredLinear:
        sizes = (layer.in_features, layer.out_features)
        if self.parameters.load_in_8bit:
            threshold = self.parameters.llm_int8_threshold
            return eight_bits.EightBitLinear(*sizes, tensors=tensors, bias=layer.bias, threshold=threshold)
        said = self.parameters.bnb_4bit_compute_dtype
        compute = None if said is None else getattr(torch, said)
        return four_bits.FourBitLinear(*sizes, tensors=tensors, bias=layer.bias, compute_dtype=compute)

    def _packed_layers(self, model: nn.Module) -> dict[str, StoredTensors]:
        """The tensors of each layer that the file has packed, by names in this model."""
        if not isinstance(model, PreTrainedModel):
            return {}
        mark = ".SCB" if self.parameters.load_in_8bit else f".{four_bits.STATE}{self._table}"
        names = {name: stored for stored, name in names_in(model, self._stored).items()}
        found: dict[str, StoredTensors] = {}
        for name in names:
            if name.endswith(mark):
                layer = f"{name.removesuffix(mark)}."
                parts = {one.removeprefix(layer): one for one in names if one.startswith(layer)}
                found[layer.removesuffix(".")] = {
                    part: self._stored[names[one]] for part, one in parts.items() if part != "bias"
                }
        return {name: tensors for name, tensors in found.items() if not of_another_head(model, name)}


def _skipped(model: nn.Module) -> list[str]:
    """Layers outside the base model, and those that a family keeps from float16, in which LLM.int8 multiplies."""
    weights = [f"{name}.weight" for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    wide = kept_in_float32(model, weights, torch.float16)
    outside = outside_base_model(model)
    return [name for one in weights if (name := one.removesuffix(".weight")) in outside or one in wide]
