"""Widths that do not fill 32 bits, and outputs so few that zero points are one row: there and back, bit by bit."""

import pytest
import torch

from modelry_compressed_tensors.form import PackedForm


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(
    ("outputs", "inputs", "groups"), [(3, 64, 2), (6, 96, 3), (20, 30, 1), (17, 32, 1), (1, 32, 1)]
)
def test_there_and_back(bits: int, outputs: int, inputs: int, groups: int) -> None:
    torch.manual_seed(0)
    form = PackedForm(bits, inputs, outputs)
    integers = torch.randint(2**bits, (outputs, inputs), dtype=torch.uint8)
    zeros = torch.randint(2**bits, (groups, outputs), dtype=torch.uint8)
    scales = torch.rand(groups, outputs)
    kept = form.tensors(inputs=inputs, outputs=outputs, groups=groups)
    packed, packed_zeros, stored = form.stored_integers(integers), form.stored_zeros(zeros), form.stored_scales(scales)
    assert (packed.shape, packed.dtype) == kept["weight_packed"]
    assert (packed_zeros.shape, packed_zeros.dtype) == kept["weight_zero_point"]
    assert stored.shape == kept["weight_scale"][0]
    assert torch.equal(form.integers(packed), integers)
    assert torch.equal(form.zeros(packed_zeros, groups=groups), zeros)
    assert torch.equal(form.scales(stored, groups=groups), scales)
    assert int(packed[0, 0]) & (2**bits - 1) == int(integers[0, 0])


def test_one_scale_of_the_whole() -> None:
    form = PackedForm(4, 32, 5, one_scale=True)
    scales = form.scales(torch.tensor([0.5]), groups=1)
    assert scales.tolist() == [[0.5] * 5]
    assert form.stored_scales(scales).tolist() == [0.5]
