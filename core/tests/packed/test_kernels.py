"""Packed products in a compiled function are the same as outside."""

import shutil

import pytest
import torch
from torch.nn import functional as F

from modelry.packed.int4_linear import Int4Linear
from modelry.packed.int4_packing import pack_groups
from modelry.packed.int8_linear import Int8Linear
from modelry.packed.int8_packing import pack_rows


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # importing the compiler
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled() -> None:
    torch.manual_seed(0)
    four, eight = Int4Linear(64, 64, group_size=32, bias=None), Int8Linear(64, 64, bias=None)
    four._buffers.update(
        zip(("weight", "weight_scale_and_zero"), pack_groups(torch.randn(64, 64), group_size=32), strict=True)
    )
    four.lay_out()
    eight._buffers.update(zip(("weight", "weight_scale"), pack_rows(torch.randn(64, 64)), strict=True))

    def both(x: torch.Tensor) -> torch.Tensor:
        return four(F.silu(eight(F.silu(x))))

    x = torch.randn(1, 1, 64)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(both, fullgraph=True)(x), both(x))
