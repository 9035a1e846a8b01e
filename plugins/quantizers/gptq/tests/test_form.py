"""Every tensor of the layout is read as published, and written back bit by bit."""

import pytest
import torch

from modelry_gptq.form import GptqForm

FORMS = [GptqForm(bits, less) for bits in (4, 8) for less in (0, 1)]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_there_and_back(form: GptqForm) -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = form.tensors(inputs=64, outputs=32, groups=2)
    assert {name: shape for name, (shape, _) in tensors.items()} == {
        "qweight": (64 * form.bits // 32, 32),
        "qzeros": (2, 32 * form.bits // 32),
        "scales": (2, 32),
        "g_idx": (64,),
    }
    qweight, qzeros = (
        torch.randint(-(2**31), 2**31, tensors[name][0], generator=generator).int() for name in ("qweight", "qzeros")
    )
    integers, zeros = form.integers(qweight), form.zeros(qzeros, groups=2)
    assert (integers.shape, zeros.shape) == ((32, 64), (2, 32))
    assert torch.equal(form.stored_integers(integers), qweight)
    assert torch.equal(form.stored_zeros(zeros), qzeros)
    fields = 32 // form.bits
    for row, column in ((0, 0), (5, 1), (31, 63), (17, 42)):
        word = int(qweight[column // fields, row])
        assert int(integers[row, column]) == word >> (form.bits * (column % fields)) & (2**form.bits - 1)
        word = int(qzeros[1, row // fields])
        stored = word >> (form.bits * (row % fields)) & (2**form.bits - 1)
        assert int(zeros[1, row]) == (stored + form.less) % 2**form.bits


def test_the_first_format_keeps_zero_points_less_one() -> None:
    """So 15 stands for 0 of 4 bits: such files exist of layers without a negative weight."""
    words = torch.tensor([[0x7F0E1234]]).int()
    assert GptqForm(4, less=1).zeros(words, groups=1).tolist() == [[5, 4, 3, 2, 15, 1, 0, 8]]
    assert GptqForm(4, less=0).zeros(words, groups=1).tolist() == [[4, 3, 2, 1, 14, 0, 15, 7]]
