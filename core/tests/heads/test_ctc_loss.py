"""The CTC loss against the sum over every alignment."""

from itertools import groupby, product

import pytest
import torch

from modelry.heads.ctc_loss import ctc_loss


def by_hand(logits: torch.Tensor, label: list[int], blank: int) -> float:
    """Minus the logarithm of the probability of all frame sequences that collapse to the label."""
    odds = logits.softmax(-1)
    total = 0.0
    for frames in product(range(logits.shape[1]), repeat=logits.shape[0]):
        if [one for one, _ in groupby(frames) if one != blank] == label:
            total += float(torch.stack([odds[at, one] for at, one in enumerate(frames)]).prod())
    return -float(torch.tensor(total).log())


def test_every_alignment() -> None:
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    labels, lengths = torch.tensor([[1, 1], [2, -100]]), torch.tensor([5, 4])
    found = ctc_loss(logits, labels, lengths, blank=0, reduction="none")
    expected = [by_hand(logits[0], [1, 1], 0), by_hand(logits[1, :4], [2], 0)]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ctc_loss(logits, labels, lengths, blank=0, reduction="sum"), found.sum())


def test_too_many_labels() -> None:
    logits, labels = torch.zeros(1, 2, 3), torch.tensor([[1, 1, 2]])
    assert torch.isinf(ctc_loss(logits, labels, torch.tensor([2]), blank=0))
    assert ctc_loss(logits, labels, torch.tensor([2]), blank=0, zero_infinity=True) == 0


@pytest.mark.parametrize("wrong", [3, -1])
def test_labels_outside_are_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"a label is {wrong}: with 3 classes labels are 0 to 2"):
        ctc_loss(torch.zeros(1, 4, 3), torch.tensor([[1, wrong]]), torch.tensor([4]), blank=0)
