"""Spans are as long and as many as asked for, and lie where there is sound."""

import torch

from modelry.nn.spec_augment import masked_spans


def runs(row: torch.Tensor) -> list[int]:
    text = "".join(str(int(one)) for one in row)
    return [len(run) for run in text.split("0") if run]


def test_spans() -> None:
    torch.manual_seed(0)
    mask = masked_spans(20, 100, share=0.2, span=10)
    assert mask.shape == (20, 100)
    assert 0.1 < float(mask.float().mean()) <= 0.2
    assert all(run >= 10 for row in mask for run in runs(row))


def test_least_and_lengths() -> None:
    torch.manual_seed(0)
    mask = masked_spans(3, 40, share=0.0, span=5, least=2, lengths=torch.tensor([40, 12, 3]))
    assert [bool(row.any()) for row in mask] == [True, True, False]
    assert not mask[1, 12:].any()


def test_a_short_axis() -> None:
    torch.manual_seed(0)
    assert masked_spans(1, 4, share=0.05, span=10, least=2).tolist() == [[True] * 4]
    assert not masked_spans(2, 6, share=0.0, span=2).any()
