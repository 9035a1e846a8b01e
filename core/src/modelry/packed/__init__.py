"""Linear layers whose weights are packed integers: what quantization schemes put in place of float ones.

`Int4Linear`, `Int8Linear` and `GroupedInt8Linear` compute with kernels that PyTorch has. `found_layers` finds what a
scheme may replace.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry.packed.grouped_int8_linear import GroupedInt8Linear as GroupedInt8Linear
    from modelry.packed.int4_linear import Int4Linear as Int4Linear
    from modelry.packed.int8_linear import Int8Linear as Int8Linear
    from modelry.packed.packed_linear import PackedLinear as PackedLinear
    from modelry.packed.replacing import found_layers as found_layers
    from modelry.packed.scaled_linear import ScaledLinear as ScaledLinear

_ROOMS = {
    "GroupedInt8Linear": "grouped_int8_linear",
    "Int4Linear": "int4_linear",
    "Int8Linear": "int8_linear",
    "PackedLinear": "packed_linear",
    "ScaledLinear": "scaled_linear",
    "found_layers": "replacing",
}

__all__ = ["GroupedInt8Linear", "Int4Linear", "Int8Linear", "PackedLinear", "ScaledLinear", "found_layers"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry.packed' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry.packed.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
