"""Blocks become packed layers' tensors and come back bit by bit; the weights are those of the gguf package."""

import gguf
import numpy as np
import pytest
import torch

from modelry.packed import GroupedInt8Linear, Int4Linear
from modelry_gguf.repacking import eight_bit_blocks, four_bit_blocks, repacked


def rows_of(type_name: str, *, outputs: int = 64, inputs: int = 96) -> torch.Tensor:
    weights = np.random.default_rng(0).normal(size=(outputs, inputs)).astype(np.float32)
    weights[3, :32] = 0
    return torch.from_numpy(gguf.quantize(weights, gguf.GGMLQuantizationType[type_name]))


@pytest.mark.parametrize("type_name", ["Q4_0", "Q4_1", "Q8_0"])
@pytest.mark.parametrize("outputs", [64, 20, 6000])
def test_weights(type_name: str, outputs: int) -> None:
    rows = rows_of(type_name, outputs=outputs)
    integers, numbers = repacked(rows, type_name, dtype=torch.float32)
    make = GroupedInt8Linear if type_name == "Q8_0" else Int4Linear
    layer = make(96, outputs, group_size=32, bias=None, scale_dtype=torch.float32)
    name = "weight_scale" if type_name == "Q8_0" else "weight_scale_and_zero"
    layer.load_state_dict({"weight": integers, name: numbers})
    expected = torch.from_numpy(gguf.dequantize(rows.numpy(), gguf.GGMLQuantizationType[type_name]))
    assert torch.equal(layer.dequantized(), expected)


@pytest.mark.parametrize("type_name", ["Q4_0", "Q4_1", "Q8_0"])
def test_back_bit_by_bit(type_name: str) -> None:
    rows = rows_of(type_name)
    integers, numbers = repacked(rows, type_name, dtype=torch.float32)
    again = (
        eight_bit_blocks(integers, numbers) if type_name == "Q8_0" else four_bit_blocks(integers, numbers, type_name)
    )
    assert torch.equal(again, rows)


def test_scales_are_rounded_to_the_models_dtype() -> None:
    exact = repacked(rows_of("Q4_1"), "Q4_1", dtype=torch.float32)
    rounded = repacked(rows_of("Q4_1"), "Q4_1", dtype=torch.bfloat16)
    assert torch.equal(exact[0], rounded[0])
    assert torch.equal(exact[1].bfloat16(), rounded[1])
