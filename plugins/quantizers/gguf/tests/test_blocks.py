"""Blocks are those of the gguf package, byte by byte; what has no form is refused."""

import gguf
import numpy as np
import pytest
import torch

from modelry.errors import QuantizationError
from modelry_gguf.blocks import stored_bytes


@pytest.mark.parametrize("type_name", ["Q4_0", "Q4_1", "Q8_0", "F16", "BF16", "F32"])
def test_bytes_are_those_of_the_gguf_package(type_name: str) -> None:
    weights = np.random.default_rng(1).normal(size=(4000, 128)).astype(np.float32)
    weights[0] = 0
    weights[1, :4] = (3, -3, 3, -3)
    expected = gguf.quantize(weights, gguf.GGMLQuantizationType[type_name])
    assert np.array_equal(stored_bytes(torch.from_numpy(weights), type_name).numpy(), expected.view(np.uint8))


@pytest.mark.parametrize(
    ("type_name", "value", "message"),
    [
        ("Q4_0", float("nan"), "up_proj has a value that is infinite or no number"),
        ("Q8_0", float("inf"), "infinite"),
        ("Q4_1", 3e38, "beyond the range of Q4_1"),
        ("F16", 1e6, "beyond the range of F16; write BF16"),
    ],
)
def test_values_without_a_form(type_name: str, value: float, message: str) -> None:
    weights = torch.zeros(2, 64)
    weights[1, 40] = value
    with pytest.raises(QuantizationError, match=message):
        stored_bytes(weights, type_name, name="up_proj")


def test_rows_that_are_no_whole_blocks() -> None:
    with pytest.raises(QuantizationError, match="48 inputs, which is no multiple of the 32 of Q8_0"):
        stored_bytes(torch.zeros(2, 48), "Q8_0")
