"""Every quantized type against the gguf package's own dequantize, bit by bit, on random bits."""

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

from modelry_gguf import dequantize as module
from modelry_gguf.dequantize import UNPACK, dequantize
from modelry_gguf.tensor_types import TENSOR_TYPES

QUANTIZED = {kind.name: (number, kind) for number, kind in TENSOR_TYPES.items() if kind.kind == "quantized"}


def test_the_table_is_that_of_the_format() -> None:
    for number, kind in TENSOR_TYPES.items():
        assert Type(number).name == kind.name
        assert gguf.GGML_QUANT_SIZES[Type(number)] == (kind.block_size, kind.block_bytes)
    assert QUANTIZED.keys() == UNPACK.keys()


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize("rows", [1, 300])
def test_equal_bit_by_bit(name: str, rows: int) -> None:
    number, kind = QUANTIZED[name]
    packed = np.random.default_rng(0).integers(0, 256, (rows, 3 * 256 // kind.block_size * kind.block_bytes), np.uint8)
    with np.errstate(all="ignore"):  # random bits hold infinite and undefined scales too
        expected = torch.from_numpy(gguf.dequantize(packed, Type(number))).flatten()
    blocks = torch.from_numpy(packed.reshape(-1, kind.block_bytes))
    got = dequantize(blocks, type_name=name, block_size=kind.block_size, dtype=torch.float32).flatten()
    undefined = expected.isnan()
    assert torch.equal(got.isnan(), undefined)
    assert torch.equal(got[~undefined].view(torch.int32), expected[~undefined].view(torch.int32))
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        rounded = dequantize(blocks, type_name=name, block_size=kind.block_size, dtype=dtype).flatten()
        assert torch.equal(rounded[~undefined], expected.to(dtype)[~undefined])


def test_chunks_of_a_large_tensor_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = torch.randint(0, 256, (5000, 34), dtype=torch.uint8)
    blocks[:, 1] &= 0x3F  # finite scales
    small = dequantize(blocks, type_name="Q8_0", block_size=32, dtype=torch.bfloat16)
    monkeypatch.setattr(module, "_LARGE_TENSOR", 0)
    assert torch.equal(small, dequantize(blocks, type_name="Q8_0", block_size=32, dtype=torch.bfloat16))
