"""What one layer's file has and which packed layer takes it, by format and by how its weights were rounded.

I input width   O output width   Q groups of inputs
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.checkpoint.dtypes import dtype_name
from modelry.errors import QuantizationError
from modelry.packed.file_form import Kept
from modelry.packed.scaled_linear import ScaledLinear
from modelry.packed.scaled_packing import E4M3, blocks, pack_blocks
from modelry.packed.zero_point_linear import ZeroPointLinear
from modelry.packed.zero_points import group_of_kernel, round_to_nearest
from modelry_compressed_tensors.form import SHAPE, PackedForm
from modelry_compressed_tensors.parameters import Weights

if TYPE_CHECKING:
    from modelry.checkpoint.reader import TensorInfo

SCALE, ZERO = "weight_scale", "weight_zero_point"
FLOATING = (torch.float16, torch.bfloat16, torch.float32)
"""What scales are stored in."""
SIGN = 128
"""What makes a byte of 0 ... 255 a signed one."""


@dataclass(frozen=True)
class Plan:
    """One layer's.

    Args:
        group: its name in config_groups, for errors.
        packed: into 32-bit integers; else each number has 8 bits of its own.
    """

    group: str
    weights: Weights
    packed: bool
    inputs: int
    outputs: int

    @property
    def block(self) -> tuple[int, int]:
        """Outputs and inputs that share a scale."""
        if self.weights.block_structure is not None:
            return self.weights.block_structure
        if self.weights.scope == "tensor":
            return self.outputs, self.inputs
        return 1, self.weights.group_size if self.weights.scope == "group" and self.weights.group_size else self.inputs

    @property
    def form(self) -> PackedForm:
        """Of the packed integers."""
        return PackedForm(self.weights.num_bits, self.inputs, self.outputs, one_scale=self.weights.scope == "tensor")

    def unfit(self) -> str | None:
        """Why no layer of these sizes can be so."""
        wide = self.block[1]
        if self.weights.scope == "group" and self.inputs % wide:
            return f"group_size {wide} does not divide its {self.inputs} inputs"
        if not self.packed:
            return None
        if self.inputs % 2:
            return f"its {self.inputs} inputs are an odd number"
        try:
            group_of_kernel(min(wide, self.inputs), inputs=self.inputs)
        except QuantizationError as error:
            return str(error)
        return None

    def tensors(self, stored: "Mapping[str, TensorInfo] | None" = None) -> Kept:
        """What a file has for the layer, the bias apart; with the dtypes and the optional tensors of `stored`."""
        there = stored or {}
        if self.packed:
            groups = self.inputs // min(self.block[1], self.inputs)
            kept = dict(self.form.tensors(inputs=self.inputs, outputs=self.outputs, groups=groups))
            group_of_input = self.form.names.group_of_input
            if not self.weights.reordered and group_of_input not in there:
                del kept[group_of_input]
        else:
            floating = self.weights.type == "float"
            grid = blocks(self.outputs, self.block[0]), blocks(self.inputs, self.block[1])
            shape: tuple[int, ...] = (1,) if self.weights.scope == "tensor" else grid
            kept = {
                "weight": ((self.outputs, self.inputs), E4M3 if floating else torch.int8),
                SCALE: (shape, torch.float32 if floating else torch.float16),
                ZERO: (shape, torch.int8),
            }
        if self.weights.symmetric:
            del kept[ZERO]
        for name in kept.keys() & there.keys():
            kept[name] = self._as_stored(name, *kept[name], there[name])
        return kept

    def _as_stored(
        self, name: str, shape: tuple[int, ...], dtype: torch.dtype, found: "TensorInfo"
    ) -> tuple[tuple[int, ...], torch.dtype]:
        """Scales are of any floating dtype, and of fewer dimensions where each stands for a row or for all."""
        if name == SHAPE and found.dtype == "int32":
            return shape, torch.int32
        if name == ZERO and self.packed and found.dtype == "int8":  # older files do not pack them
            return (self.outputs, shape[1]), torch.int8
        if (
            name in (SCALE, ZERO)
            and not self.packed
            and prod(found.shape) == prod(shape)
            and 1 in (shape[-1], prod(shape))
        ):
            shape = found.shape
        if name == SCALE:
            dtype = next((one for one in FLOATING if dtype_name(one) == found.dtype), dtype)
        return shape, dtype

    def hold_against(self, name: str, stored: "Mapping[str, TensorInfo]") -> None:
        """Hold the configuration against what is stored.

        Raises:
            QuantizationError: a tensor is missing, or is of another shape or dtype than the configuration makes it.
        """
        wrong = self.unfit()
        if wrong:
            raise QuantizationError(f"{name}: config_groups.{self.group}: {wrong}")
        for part, (shape, dtype) in self.tensors(stored).items():
            found = stored.get(part)
            if found is None:
                there = ", ".join(sorted(stored)) or "nothing"
                raise QuantizationError(
                    f"{name} has no {part} in the checkpoint, which config_groups.{self.group} asks for; it has {there}"
                )
            if found.shape != shape or found.dtype != dtype_name(dtype):
                raise QuantizationError(
                    f"{name}.{part} is {found.shape} of {found.dtype} in the checkpoint; config_groups.{self.group} "
                    f"says {self.said()}, which makes it {shape} of {dtype_name(dtype)} for {self.inputs} inputs and "
                    f"{self.outputs} outputs"
                )

    def said(self) -> str:
        """The configuration in a few words."""
        size = {"group": f" of {self.weights.group_size}", "block": f" of {self.weights.block_structure}"}
        scope = self.weights.scope + size.get(self.weights.scope, "")
        return f"num_bits {self.weights.num_bits} of type {self.weights.type}, strategy {scope}"

    def layer(self, tensors: Kept, *, bias: Tensor | None, dtype: torch.dtype) -> nn.Linear:
        """The packed layer."""
        if self.packed:
            size = min(self.block[1], self.inputs)
            return ZeroPointLinear(
                self.inputs, self.outputs, form=self.form, tensors=tensors, group_size=size, bias=bias, dtype=dtype
            )
        return ScaledLinear(
            self.inputs,
            self.outputs,
            dtype=tensors["weight"][1],
            block=self.block,
            bias=bias,
            scale_shape=tensors[SCALE][0],
            scale_dtype=tensors[SCALE][1],
            zero_dtype=tensors[ZERO][1] if ZERO in tensors else None,
        )

    def pack(self, weight: Tensor, *, name: str) -> dict[str, Tensor]:
        """The file's tensors of a float weight, rounded to nearest.

        Raises:
            QuantizationError: it has values that no number stands for.
        """
        if self.weights.type == "float":
            numbers, scale = pack_blocks(weight, block=self.block, name=name)
            return {"weight": numbers, SCALE: scale.view(self.tensors()[SCALE][0])}
        integers, scales, zeros = round_to_nearest(
            weight,
            bits=self.weights.num_bits,
            group_size=min(self.block[1], self.inputs),
            symmetric=self.weights.symmetric,
            name=name,
        )
        if self.packed:
            found = {
                self.form.names.integers: self.form.stored_integers(integers),
                SCALE: self.form.stored_scales(scales),
                ZERO: self.form.stored_zeros(zeros),
                SHAPE: torch.tensor([self.outputs, self.inputs], device=weight.device),
            }
        else:
            found = {"weight": self._signed(integers), SCALE: scales.t(), ZERO: self._signed(zeros.t())}
        if self.weights.symmetric:
            del found[ZERO]
        return {part: tensor.contiguous() for part, tensor in found.items()}

    def _signed(self, integers: Tensor) -> Tensor:
        """Bytes of 0 ... 2 ** bits - 1 as integers around 0."""
        return (
            (integers.contiguous().view(torch.int8) - 8)
            if self.weights.num_bits == 4
            else (integers.contiguous() ^ SIGN).view(torch.int8)
        )
