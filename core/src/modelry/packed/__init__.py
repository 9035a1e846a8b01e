"""Linear layers whose weights are packed integers: what quantization schemes put in place of float ones.

`Int4Linear`, `Int8Linear` and `GroupedInt8Linear` compute with kernels that PyTorch has. `found_layers` finds what a
scheme may replace.
"""

from typing import TYPE_CHECKING

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:
    from modelry.packed.grouped_int8_linear import GroupedInt8Linear as GroupedInt8Linear
    from modelry.packed.int4_linear import Int4Linear as Int4Linear
    from modelry.packed.int8_linear import Int8Linear as Int8Linear
    from modelry.packed.packed_linear import PackedLinear as PackedLinear
    from modelry.packed.replacing import found_layers as found_layers
    from modelry.packed.scaled_linear import ScaledLinear as ScaledLinear

__all__ = ["GroupedInt8Linear", "Int4Linear", "Int8Linear", "PackedLinear", "ScaledLinear", "found_layers"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "grouped_int8_linear": "GroupedInt8Linear",
        "int4_linear": "Int4Linear",
        "int8_linear": "Int8Linear",
        "packed_linear": "PackedLinear",
        "scaled_linear": "ScaledLinear",
        "replacing": "found_layers",
    },
)
