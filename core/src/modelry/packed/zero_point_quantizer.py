"""What schemes share whose files keep integers, scales and zero points: which layers are packed, and checks of a file.

A file says itself which layers it has packed: those with a qweight. Without any, a float model is packed while it
loads, each group rounded to nearest.
"""

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from modelry.checkpoint.dtypes import dtype_name
from modelry.checkpoint.naming import names_in
from modelry.errors import ModelryWarning, QuantizationError
from modelry.model import PreTrainedModel
from modelry.packed.file_form import GROUP_OF_INPUT, INTEGERS, SCALES, ZEROS, FileForm, Kept
from modelry.packed.replacing import found_layers, in_short, of_another_head, refuse_packed
from modelry.packed.zero_point_linear import ZeroPointLinear
from modelry.packed.zero_points import group_of_kernel, round_to_nearest
from modelry.quantization import Quantizer

if TYPE_CHECKING:
    from modelry.checkpoint.reader import TensorInfo
    from modelry.checkpoint.shards import Checkpoint

FLOATING = ("float16", "bfloat16", "float32")
"""What scales are stored in."""


class ZeroPointQuantizer(Quantizer):
    """A scheme of 4 or 8 bits whose files are laid out in a `FileForm`."""

    group_size: int
    """Of the file; -1: a row is one group."""
    symmetric: bool
    """The zero point is the middle; a file may leave it out, and its own is read in any case."""
    keep: list[str] | None
    """For packing a float model: layers that stay, as in `found_layers`."""

    def __init__(self, parameters: BaseModel) -> None:
        super().__init__(parameters)
        self._stored: Mapping[str, TensorInfo] = {}
        self._dtype = torch.float32

    @abstractmethod
    def form(self) -> FileForm:
        """How the file keeps a layer."""

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        self._stored = {name: checkpoint.info(name) for name in checkpoint.names()}
        self._dtype = dtype

    def check(self, model: nn.Module) -> None:
        """Hold the configuration against the shapes that are stored, before a tensor is read.

        Raises:
            QuantizationError: what is wrong with which layer.
        """
        stored = self._packed_layers(model)
        said = getattr(model, "config", None)
        claimed = (getattr(said, "quantization_config", None) or {}).get("quant_method") == self.method
        if stored and not claimed:
            raise QuantizationError(
                f"the checkpoint is packed already ({next(iter(stored))}.{INTEGERS}); load it without quantization="
            )
        if claimed and not stored:
            raise QuantizationError(
                f"config.json says quant_method {self.method}, and no layer of {type(model).__name__} has a {INTEGERS}"
            )
        if not stored:
            refuse_packed(model, self.method, self.keep)
            reasons = [self._unfit(layer) for _, layer in found_layers(model, self.keep)]
            if reasons and all(reasons):
                raise QuantizationError(f"{self.method}: no layer can be packed: {reasons[0]}")
        modules = dict(model.named_modules())
        for name, tensors in stored.items():
            layer = modules.get(name)
            if not isinstance(layer, nn.Linear):
                there = "nothing" if layer is None else f"a {type(layer).__name__}"
                raise QuantizationError(f"{name}.{INTEGERS} is stored, and {type(model).__name__} has {there} there")
            self._check_layer(name, layer, tensors)

    def swap(self, model: nn.Module) -> None:
        """Replace the layers that the file has packed, or all that fit; one warning names those that do not."""
        stored = self._packed_layers(model)
        if stored:
            for name, tensors in stored.items():
                self._replace(model, name, self._kept(model.get_submodule(name), tensors))
            return
        unfit = []
        for name, layer in found_layers(model, self.keep):
            if self._unfit(layer):
                unfit.append(name)
            else:
                self._replace(model, name, self._kept(layer, None))
        if unfit:
            warnings.warn(
                f"{self.method}: layers that group_size {self.group_size} or {32 // self.form().bits} integers in 32 "
                f"bits do not divide stay as they are: {in_short(unfit)}",
                ModelryWarning,
                stacklevel=2,
            )

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes integers, zero points and scales, rounded to nearest; a bias stays."""
        layer, _, part = name.rpartition(".")
        if part != "weight":
            return None
        form, size = self.form(), self._group_size(tensor.shape[1])
        integers, scales, zeros = round_to_nearest(
            tensor, bits=form.bits, group_size=size, symmetric=self.symmetric, lowest_zero=form.lowest_zero, name=name
        )
        parts = {
            INTEGERS: form.stored_integers(integers),
            ZEROS: form.stored_zeros(zeros),
            SCALES: form.stored_scales(scales),
        }
        if GROUP_OF_INPUT in form.tensors(inputs=tensor.shape[1], outputs=tensor.shape[0], groups=scales.shape[0]):
            parts[GROUP_OF_INPUT] = torch.arange(tensor.shape[1], dtype=torch.int32, device=tensor.device) // size
        return {f"{layer}.{part}": found for part, found in parts.items()}

    def finish(self, model: nn.Module) -> None:
        """Bring every layer into the layout of its device's kernel, one layer at a time.

        Raises:
            QuantizationError: a file's g_idx contradicts its group size.
        """
        self._stored = {}
        for name, layer in model.named_modules():
            if isinstance(layer, ZeroPointLinear):
                try:
                    layer.lay_out()
                except QuantizationError as error:
                    raise QuantizationError(f"{name}: {error}") from error

    def is_stored(self, model: nn.Module) -> bool:
        """Whether the checkpoint that is being loaded is packed already."""
        return bool(self._packed_layers(model))

    def _packed_layers(self, model: nn.Module) -> "dict[str, dict[str, TensorInfo]]":
        """What the file has for each layer that it has packed, by name in this model."""
        if not isinstance(model, PreTrainedModel):
            return {}
        found: dict[str, dict[str, TensorInfo]] = {}
        for stored, name in names_in(model, sorted(self._stored)).items():
            layer, _, part = name.rpartition(".")
            if layer and f"{stored.rpartition('.')[0]}.{INTEGERS}" in self._stored:
                found.setdefault(layer, {})[part] = self._stored[stored]
        return {layer: tensors for layer, tensors in found.items() if not of_another_head(model, layer)}

    def _group_size(self, inputs: int) -> int:
        """G of a layer; a group larger than the row is the row."""
        return inputs if self.group_size == -1 else min(self.group_size, inputs)

    def _kept(self, layer: nn.Module, stored: "Mapping[str, TensorInfo] | None") -> Kept:
        """What a layer's file has: all that the form has, or of what may be left out what is stored."""
        assert isinstance(layer, nn.Linear)
        groups = layer.in_features // self._group_size(layer.in_features)
        tensors = self.form().tensors(inputs=layer.in_features, outputs=layer.out_features, groups=groups)
        if stored is None:
            return tensors
        may_lack = {GROUP_OF_INPUT, ZEROS} if self.symmetric else {GROUP_OF_INPUT}
        return {name: kept for name, kept in tensors.items() if name in stored or name not in may_lack}

    def _check_layer(self, name: str, layer: nn.Linear, stored: "Mapping[str, TensorInfo]") -> None:
        wrong = self._unfit(layer)
        if wrong:
            raise QuantizationError(f"{name}: {wrong}")
        said = f"bits {self.form().bits} and group_size {self.group_size}"
        for part, (shape, dtype) in self._kept(layer, stored).items():
            found = stored.get(part)
            if found is None:
                raise QuantizationError(f"{name} has a {INTEGERS} and no {part} in the checkpoint")
            if found.shape != shape:
                raise QuantizationError(
                    f"{name}.{part} is {found.shape} in the checkpoint; quantization_config says {said}, which makes "
                    f"it {shape} for {layer.in_features} inputs and {layer.out_features} outputs"
                )
            fine = FLOATING if dtype.is_floating_point else (dtype_name(dtype),)
            if found.dtype not in fine:
                raise QuantizationError(
                    f"{name}.{part} is {found.dtype} in the checkpoint, and not {' or '.join(fine)}"
                )

    def _unfit(self, layer: nn.Linear) -> str | None:
        """Why a layer cannot be packed."""
        fields = 32 // self.form().bits
        if layer.in_features % fields or layer.out_features % fields:
            sizes = f"{layer.in_features} inputs and {layer.out_features} outputs"
            return f"{sizes} are no multiples of the {fields} integers in 32 bits"
        try:
            group_of_kernel(self._group_size(layer.in_features), inputs=layer.in_features)
        except QuantizationError as error:
            return str(error)
        return None

    def _replace(self, model: nn.Module, name: str, tensors: Kept) -> None:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        packed = ZeroPointLinear(
            layer.in_features,
            layer.out_features,
            form=self.form(),
            tensors=tensors,
            group_size=self._group_size(layer.in_features),
            bias=layer.bias,
            dtype=self._dtype,
        )
        model.set_submodule(name, packed)
