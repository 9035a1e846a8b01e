"""What linear layers with integers in groups share: a layout that is the kernel's in memory and the file's in files.

I input width   O output width   G inputs in a group
"""

from abc import abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor

from modelry.packed.int4_layouts import FileLayout, Layout
from modelry.packed.packed_linear import PackedLinear


class GroupedLinear(PackedLinear):
    """Integers in groups of inputs. They leave the kernel's layout to be moved, saved and loaded.

    Args:
        group_size: G.
        bias: of the layer that is replaced; its values are not taken.
    """

    bits: ClassVar[int]
    """Of an integer in a file."""
    layout: Layout
    """As which the integers lie now."""

    def __init__(self, in_features: int, out_features: int, *, group_size: int, bias: Tensor | None) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.group_size = group_size
        self.layout = FileLayout()

    @abstractmethod
    def lay_out(self) -> None:
        """Bring the integers from the file's layout into the one for their device, where there is one."""

    @abstractmethod
    def packed(self) -> Tensor:
        """The integers as in a file."""

    def leave_layout(self) -> None:
        """Bring the integers back into the file's layout."""
        self._buffers["weight"] = self.packed()
        self.layout = FileLayout()

    def same_kind(self, other: PackedLinear) -> bool:
        """Whether another layer has the same groups and layout."""
        alike = isinstance(other, GroupedLinear) and (self.group_size, self.layout) == (other.group_size, other.layout)
        return alike and super().same_kind(other)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        self.leave_layout()
        try:
            return super()._apply(fn, recurse)
        finally:
            self.lay_out()

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = self.packed()

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        self.leave_layout()
        super()._load_from_state_dict(*arguments, **named)
        self.lay_out()

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, "
            f"int{self.bits} in groups of {self.group_size}, not trainable"
        )
