"""Every tensor of the layouts is read as published, and written back bit by bit."""

import pytest
import torch

from modelry_awq.forms import GemmForm, GemvForm


def words(*shape: int) -> torch.Tensor:
    return torch.randint(-(2**31), 2**31, shape, generator=torch.Generator().manual_seed(0)).int()


@pytest.mark.parametrize(("bits", "place"), [(4, [0, 2, 4, 6, 1, 3, 5, 7]), (8, [0, 2, 1, 3])])
def test_gemm(bits: int, place: list[int]) -> None:
    form, fields = GemmForm(bits), 32 // bits
    tensors = form.tensors(inputs=64, outputs=32, groups=2)
    qweight, qzeros = words(*tensors["qweight"][0]), words(*tensors["qzeros"][0])
    integers, zeros = form.integers(qweight), form.zeros(qzeros, groups=2)
    assert (integers.shape, zeros.shape) == ((32, 64), (2, 32))
    for column in range(64):
        for row in range(32):
            field = place.index(row % fields)
            assert int(integers[row, column]) == int(qweight[column, row // fields]) >> bits * field & (2**bits - 1)
    for row in range(32):
        field = place.index(row % fields)
        assert int(zeros[1, row]) == int(qzeros[1, row // fields]) >> bits * field & (2**bits - 1)
    assert torch.equal(form.stored_integers(integers), qweight)
    assert torch.equal(form.stored_zeros(zeros), qzeros)


@pytest.mark.parametrize(("group_size", "groups", "width"), [(32, 2, 4), (64, 20, 4), (128, 9, 2), (-1, 1, 1)])
def test_gemv(group_size: int, groups: int, width: int) -> None:
    form = GemvForm(group_size)
    inputs = groups * (96 if group_size == -1 else group_size)
    tensors = form.tensors(inputs=inputs, outputs=8, groups=groups)
    assert {name: shape for name, (shape, _) in tensors.items()} == {
        "qweight": (8, inputs // 8),
        "qzeros": (8, width),
        "scales": (8, 8 * width),
    }
    qweight = words(8, inputs // 8)
    integers = form.integers(qweight)
    for column in range(inputs):
        assert int(integers[3, column]) == int(qweight[3, column // 8]) >> 4 * (column % 8) & 15
    assert torch.equal(form.stored_integers(integers), qweight)
    zeros = torch.randint(16, (groups, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    scales = torch.rand(groups, 8, generator=torch.Generator().manual_seed(1)).half()
    assert form.stored_zeros(zeros).shape == (8, width)
    assert torch.equal(form.zeros(form.stored_zeros(zeros), groups=groups), zeros)
    assert torch.equal(form.scales(form.stored_scales(scales), groups=groups), scales)
