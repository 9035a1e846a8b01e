"""A linear layer from a file that keeps integers with scales and zero points: GPTQ's, AWQ's.

M rows of the input   I input width   O output width   G inputs in a group   Q groups in a row   K as in zero_points
The scales, zero points and groups stay as the file has them, bit by bit; the integers lie as the device's kernel wants
them. state_dict has all of them as in the file.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from modelry.errors import QuantizationError
from modelry.packed.file_form import FileForm, Kept
from modelry.packed.int4_layouts import FileLayout, Layout, layout_for
from modelry.packed.int4_linear import product, whole
from modelry.packed.packed_linear import PackedLinear
from modelry.packed.zero_points import (
    GROUPS_OF_KERNEL,
    for_kernel,
    from_kernel,
    group_of_kernel,
    scales_for_kernel,
    stood_for,
)

MOST_ROWS_OF_HALVES = 8
"""Of 8 bits: up to so many rows the halves are multiplied; above it a weight made whole costs less than that."""


class ZeroPointLinear(PackedLinear):
    """4- or 8-bit integers in groups of inputs that need not be neighbours (act-order).

    Args:
        form: of the file.
        tensors: what the file has for this layer, of `form.tensors`. Without zero points they are the middle; without
            g_idx a group is G neighbours.
        group_size: G.
        bias: of the layer that is replaced; its values are not taken.
        dtype: that products are made ready for. They run in the dtype of their input.

    Raises:
        QuantizationError: no kernel for this group size.
    """

    output_dims: ClassVar[Mapping[str, int]] = {"weight": 0, "scale_and_zero": 1}

    scale_and_zero: Tensor
    """(I bits / 4 K, O, 2), computed from the file's. Never stored."""
    order: Tensor | None
    """(I,) the inputs, those of a group together, where they are not so by themselves."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        form: FileForm,
        tensors: Kept,
        group_size: int,
        bias: Tensor | None,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.form = form
        self.group_size = group_size
        self.kernel_group = group_of_kernel(group_size, inputs=in_features)
        self.dtype = dtype
        self.layout: Layout = FileLayout()
        for name in ("weight", "scale_and_zero", "order"):
            self.register_buffer(name, None, persistent=False)
        for name, (shape, stored) in tensors.items():
            self.register_buffer(name, torch.empty(shape, dtype=stored))

    @property
    def shared_buffers(self) -> frozenset[str]:
        """The file's, which a product does not read, and the order of the inputs."""
        return frozenset(self._buffers) - self.output_dims.keys()

    @property
    def bits_kept(self) -> tuple[str, ...]:
        return (self.form.names.scales,)

    @property
    def groups(self) -> int:
        """Q."""
        return self.in_features // self.group_size

    def multiply(self, x: Tensor) -> Tensor:
        if self.order is not None:
            x = x.index_select(-1, self.order)
        scales = self.scale_and_zero.to(x.dtype)
        if self.form.bits == 4:
            return product(x, self.integers, scales, self.layout, self.kernel_group)
        rows, y = x.reshape(-1, self.in_features), None
        if rows.shape[0] <= MOST_ROWS_OF_HALVES:
            twice = torch.cat([rows, rows], dim=1)
            y = self.layout.multiply(twice, self.integers, scales, group_size=self.kernel_group)
        if y is None:
            both = whole(self.integers, scales, layout=self.layout, group_size=self.kernel_group, dtype=x.dtype)
            high, low = torch.split(both, self.in_features)
            y = rows @ high.add_(low)
        return y.view(*x.shape[:-1], self.out_features)

    def same_kind(self, other: PackedLinear) -> bool:
        """Whether another layer is packed alike, the order of its inputs included."""
        return (
            isinstance(other, ZeroPointLinear)
            and super().same_kind(other)
            and (self.form, self.kernel_group, self.layout) == (other.form, other.kernel_group, other.layout)
            and (self.order is None or other.order is None or torch.equal(self.order, other.order))
        )

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight, computed in float32."""
        return self._as_stored(stood_for(self._sorted(), self._scales(), self._zeros(), dtype=dtype))

    def unpacked(self) -> Tensor:
        """(O, I) bytes, inputs as in the file."""
        return self._as_stored(self._sorted())

    def lay_out(self) -> None:
        """Bring what the file has into the layout of the device's kernel, written over it where that is as large.

        Raises:
            QuantizationError: the groups of act-order are not what group_size says.
        """
        room = self._buffers[self.form.names.integers]
        assert room is not None
        self._buffers["order"] = self._found_order()
        self._lay(for_kernel(self._sorted(), bits=self.form.bits))
        if room.is_contiguous() and room.nbytes == self.integers.nbytes:
            self._buffers["weight"] = room.view(self.integers.dtype).view(self.integers.shape).copy_(self.integers)
        del self._buffers[self.form.names.integers]  # PEFT asks a qweight, where there is one, for its device
        self._make_scales()

    def _sorted(self) -> Tensor:
        """(O, I) bytes, inputs in `order`."""
        stored = self._buffers.get(self.form.names.integers)
        if stored is None:
            return from_kernel(self._in_file_layout(), bits=self.form.bits)
        integers = self.form.integers(stored)
        return integers if self.order is None else integers.index_select(1, self.order)

    def _in_file_layout(self) -> Tensor:
        inputs = self.in_features * self.form.bits // 4
        return self.layout.as_in_files(self.integers, outputs=self.out_features, inputs=inputs)

    def _found_order(self) -> Tensor | None:
        group_of = self._buffers.get(self.form.names.group_of_input)
        if group_of is None:
            return None
        if int(group_of.min()) < 0 or int(group_of.max()) >= self.groups:
            raise QuantizationError(
                f"g_idx names groups {int(group_of.min())} to {int(group_of.max())}, where {self.in_features} inputs "
                f"in groups of {self.group_size} have {self.groups}"
            )
        sizes = torch.bincount(group_of, minlength=self.groups)
        if (sizes != self.group_size).any():
            wrong = int((sizes != self.group_size).nonzero()[0])
            raise QuantizationError(
                f"g_idx puts {int(sizes[wrong])} inputs into group {wrong}, and group_size is {self.group_size}"
            )
        order = torch.argsort(group_of, stable=True)
        trivial = torch.equal(order, torch.arange(self.in_features, device=order.device))
        return None if trivial else order

    def _zeros(self) -> Tensor:
        stored = self._buffers.get(self.form.names.zeros)
        if stored is None:
            return self._scales().new_full((), 2 ** (self.form.bits - 1)).expand(self.groups, self.out_features)
        return self.form.zeros(stored, groups=self.groups)

    def _scales(self) -> Tensor:
        stored = self._buffers[self.form.names.scales]
        assert stored is not None
        return self.form.scales(stored, groups=self.groups)

    def _as_stored(self, in_order: Tensor) -> Tensor:
        """(O, I) with its columns back where the file has them."""
        if self.order is None:
            return in_order
        return torch.empty_like(in_order).index_copy_(1, self.order, in_order)

    def _lay(self, packed: Tensor) -> None:
        outputs, inputs = packed.shape
        known = self.kernel_group in GROUPS_OF_KERNEL
        self.layout = layout_for(packed.device, outputs=outputs, inputs=2 * inputs) if known else FileLayout()
        self._buffers["weight"] = self.layout.lay(packed)

    def _make_scales(self) -> None:
        found = scales_for_kernel(
            self._scales(), self._zeros(), bits=self.form.bits, repeats=self.group_size // self.kernel_group
        )
        self._buffers["scale_and_zero"] = found.to(self.dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move. A change of dtype is for activations: the file's bits stay, and what is made of them follows it."""
        scales = self._buffers[self.form.names.scales]
        assert scales is not None
        probe = torch.empty(0, dtype=self.dtype, device=scales.device)
        laid = self._buffers["weight"] is not None
        if laid:
            self._buffers["weight"], self.layout = self._in_file_layout(), FileLayout()
        self._buffers["scale_and_zero"] = None
        try:
            super()._apply(fn, recurse)
            self.dtype = fn(probe).dtype
        finally:
            if laid:
                self._lay(self.integers)
                self._make_scales()
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self._buffers["weight"] is not None:
            destination[f"{prefix}{self.form.names.integers}"] = self.form.stored_integers(self.unpacked())

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        if self._buffers["weight"] is not None:
            self._buffers[self.form.names.integers] = self.form.stored_integers(self.unpacked())
        super()._load_from_state_dict(*arguments, **named)
        self.lay_out()

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, {self.form.bits} bits in groups "
            f"of {self.group_size}{'' if self.order is None else ', inputs reordered'}, not trainable"
        )
