"""What is written lies where kernels may read it, mapped."""

from itertools import pairwise

import torch

from modelry.checkpoint.safetensors_writing import layout


def test_rows_of_integers_begin_where_whole_vectors_may_be_read() -> None:
    """After them come those of a size that would push others off their place."""
    tensors = {
        "classifier.bias": torch.zeros(3),
        "norm.weight": torch.zeros(33, dtype=torch.bfloat16),
        "rows.weight": torch.zeros(3, 16, dtype=torch.int8),
        "odd.weight": torch.zeros(5, 5, dtype=torch.int8),
        "table": torch.zeros(64),
        "nothing": torch.zeros(0),
    }
    header, spans = layout(tensors)
    assert len(header) % 64 == 0
    for name, tensor in tensors.items():
        assert spans[name][0] % tensor.dtype.itemsize == 0
    assert spans["rows.weight"][0] % 16 == spans["table"][0] % 64 == 0
    ends = sorted(spans.values())
    assert all(one[1] == other[0] for one, other in pairwise(ends))
    assert ends[-1][1] == sum(tensor.nbytes for tensor in tensors.values())
